from pathlib import Path

import numpy as np
import onnx

from pipeline.network import CoarseCard, load_network
from pipeline.untaught import KEYPOINTS, SIDE_PX, THRESHOLDS, untaught_network


def test_the_network_is_onnx_and_says_the_same_of_every_image(tmp_path: Path) -> None:
    path = tmp_path / "coarse.onnx"
    path.write_bytes(untaught_network())
    onnx.checker.check_model(onnx.load(path), full_check=True)
    network = load_network(path, CoarseCard, backend="onnxruntime")
    assert network.card.keypoints == list(KEYPOINTS)
    for images in (np.zeros((1, SIDE_PX, SIDE_PX, 1), np.uint8), np.full((3, SIDE_PX, SIDE_PX, 1), 255, np.uint8)):
        outputs = network.run({"image": images})
        assert outputs["xy"].shape == outputs["visibility"].shape == (len(images), 2, 2)
        assert (outputs["xy"] == (SIDE_PX - 1) / 2).all()
        assert (outputs["visibility"][:, 0, 0] > outputs["visibility"][:, 0, 1] + 10).all()
        assert (outputs["visibility"][:, 1] == 0).all()
    unsure = THRESHOLDS.of(KEYPOINTS[1])
    assert unsure.hidden_below < 0.5 < unsure.visible_above
