"""Every alert of monitoring/rules fires in a fault that is really made, and clears when it is over."""
