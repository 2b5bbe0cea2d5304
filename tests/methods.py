"""A method in pieces of TOML, for the parts of `write_set`: every network of a chain, in three steps each."""

FIRST = """
name = "square"
number = 3
seen_radius_px = 6.0
[view]
locate = { fixed = [0, 0, 192, 160] }
small_wh = [48, 48]
large_wh = [192, 192]
[split]
calibration = 0.3
validation = 0.1
near_duplicates = false
[coarse]
steps = 3
batch = 4
backbone = "tiny"
compressed = 8
"""
CASCADE = """
[cascade]
steps = 3
batch = 4
backbone = "tiny"
compressed = 8
image_wh = [48, 32]
"""
REFINE = """
[refine]
steps = 3
frames = 2
size = "tiny"
patch = 16
spans_px = [32.0, 16.0]
folds = 2
[shape]
"""
TURNED_REFINE = REFINE.replace("folds", "turned = true\nfolds")
