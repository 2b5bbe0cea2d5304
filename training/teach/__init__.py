"""Teaching a part from one example: a keypoint model that is shown a point, or told of it, and answers in words and a position."""
