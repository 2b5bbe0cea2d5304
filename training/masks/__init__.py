"""Images with masks of defects: readers, groups, splits, labels of heatmaps."""
