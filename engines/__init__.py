"""Inference: networks on a backend, images on a device. Knows nothing of cameras, recipes or keypoints."""
