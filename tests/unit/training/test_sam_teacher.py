from pathlib import Path

import pytest
import torch

from pipeline.errors import DataError
from training.fit import Schedule, fit
from training.networks.shufflenet import shufflenet_backbone
from training.networks.tiny_sam import tiny_sam
from training.sam_teacher import Student, Teacher, TeacherTask
from training.segment_method import SamStage, SamTinyMethod

METHOD = SamTinyMethod(stage=(SamStage(64, 1, 1),), rendered=0.0, validation_images=6)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Teacher:
    torch.manual_seed(5)
    backbone = shufflenet_backbone()
    for module in backbone.modules():  # random convolutions alone would see next to nothing of the image after 14 units
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.fill_(0.1)
    path = tmp_path_factory.mktemp("teacher") / "shufflenetv2.pth"
    torch.save(backbone.state_dict(), path)
    return Teacher(path, rendered=0.0)


def test_its_features_are_standardised_in_the_cells_of_the_student(teacher: Teacher) -> None:
    image = torch.from_numpy(TeacherTask(METHOD, teacher, 128, 24).batch(0)["image"])
    seen = teacher(image)
    assert seen.shape == (24, 144, 16, 16)
    assert float(seen.mean((0, 2, 3)).abs().median()) < 0.3
    assert 0.6 < float(seen.std((0, 2, 3)).median()) < 1.4
    assert not any(weight.requires_grad for weight in teacher.parameters())


def test_a_student_learns_what_its_teacher_sees(teacher: Teacher, tmp_path: Path) -> None:
    torch.manual_seed(0)
    task = TeacherTask(METHOD, teacher, 64, 4)
    student = Student(tiny_sam(64), teacher.channels)
    before = task.validate(student)["explained"]
    schedule = Schedule(40, 1e-3, 0.0, muon=0.02, report_every=10, validate_every=40, warm_up=5, average=0.9)
    _, state = fit(task, student, schedule, {}, tmp_path / "t.checkpoint", resume=False, report=lambda _: None)
    assert state.history[-1]["explained"] > before + 0.1
    assert state.history[-1]["features"] < 0.95 * state.history[0]["features"]


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(DataError, match=r"fit|tensors"):
        Teacher(tmp_path / "other.pth", rendered=0.0)
