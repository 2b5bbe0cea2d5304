"""Labels of keypoints in the formats of other tools: COCO, CVAT and Ultralytics."""
