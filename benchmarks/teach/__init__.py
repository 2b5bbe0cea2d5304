"""One-shot keypoints by a keypoint language model, on families and photographs that it was never taught."""
