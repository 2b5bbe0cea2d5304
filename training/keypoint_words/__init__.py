"""Names and descriptions of keypoints, and the families of parts that they are learnt on."""
