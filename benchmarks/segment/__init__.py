"""Defects: S4, what it is made of, what it could be at best and an ordinary U-Net, trained alike and compared in one table."""
