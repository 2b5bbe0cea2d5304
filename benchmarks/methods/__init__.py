"""The keypoint methods and their parts, trained alike on rendered parts and compared in one table."""
