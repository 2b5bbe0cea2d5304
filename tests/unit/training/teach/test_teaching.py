"""A keypoint language model on a folder that save_pretrained wrote: taught, saved, read again, asked."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, ResNetBackbone, ResNetConfig

from pipeline.errors import DataError, NetworkError
from training.keypoint_words.family import drawn_family
from training.keypoint_words.grammar import read_answer
from training.networks.keypoint_llm import Prompts
from training.teach.language import KPT, load_language
from training.teach.losses import losses
from training.teach.model_folder import build, load, load_backbone
from training.teach.questions import batch
from training.teach.rendered_families import rendered_families
from training.teach.teach_method import TeachMethod
from training.teach.teacher import Teacher
from training.teach.teaching import TeachRun, teach

METHOD = TeachMethod(
    format=1,
    name="teach",
    seeing=1,
    speaking=1,
    steps=2,
    side=64,
    families=4,
    frames=2,
    held=1,
    together=2,
    views=2,
    queries=6,
    lora_rank=4,
)


@pytest.fixture(scope="module")
def llm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random Qwen2 with a byte-level tokenizer."""
    folder = tmp_path_factory.mktemp("qwen2")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<end>"]
    )
    tokenizer.train_from_iterator(["part: plate; keypoint: upper left hole"], trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>").save_pretrained(folder)  # noqa: S106
    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=320,  # more rows than tokens, as published models have
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("families")


@pytest.fixture(scope="module")
def model(llm: Path, families: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps of training."""
    out = tmp_path_factory.mktemp("model")
    lines: list[str] = []
    run = TeachRun(METHOD, llm, None, out, out / "work", resume=False, report=lines.append, families=families)
    card = teach(run)
    assert card.steps == 4
    assert "qwen2" in card.language
    again = msgspec.structs.replace(METHOD, steps=2)
    resumed = TeachRun(again, llm, None, out, out / "work", resume=True, report=lines.append, families=families)
    assert teach(resumed).steps == 4
    assert any("goes on at step 4 of 4" in line for line in lines)
    return out


def test_two_readings_give_the_same_answers(model: Path, families: Path) -> None:
    drawn = rendered_families(0, METHOD.families, METHOD.frames, folder=families)
    image, points = np.ascontiguousarray(drawn.images[0, 0]), drawn.xy_px[0, 0, :3].astype(np.float64)
    answers = []
    for _ in range(2):
        teacher = Teacher.load(model)
        (found,) = teacher.locate_like([np.ascontiguousarray(drawn.images[0, 1])], image, points, ["a", "b", "c"])
        answers.append([(p.name, p.text, p.confidence, *p.xy_px) for p in found])
    assert answers[0] == answers[1]
    assert [answer[0] for answer in answers[0]] == ["a", "b", "c"]


def test_training_changes_the_adapter_and_not_the_model(model: Path, llm: Path) -> None:
    taught, plain = load(model).network.language, load_language(llm)[0]
    base = {name: weight for name, weight in taught.state_dict().items() if name.endswith("q_proj.base_layer.weight")}
    for name, weight in base.items():
        short = name.removeprefix("base_model.model.").replace(".base_layer", "")
        assert torch.equal(weight, plain.state_dict()[short])
    changed = [bool(weight.any()) for name, weight in taught.state_dict().items() if "lora_B" in name]
    assert changed
    assert all(changed)


def test_the_state_before_the_position_token_is_regressed(llm: Path, families: Path) -> None:
    """A reply that is forced gives the place that the loss saw for the same text."""
    network = build(llm, None, side=64, lora_rank=4, seed=0).network.eval()
    drawn = rendered_families(0, METHOD.families, METHOD.frames, folder=families)
    questions = batch(drawn, METHOD, range(3), (0, 1))
    parts = losses(network, questions)
    torch.autograd.backward(torch.stack(list(parts.values())).sum())
    assert all(torch.isfinite(part) for part in parts.values())
    lora = [w.grad for n, w in network.named_parameters() if "lora_B" in n]
    assert all(grad is not None and bool(grad.any()) for grad in lora)
    maps = network.see(torch.from_numpy(questions.images[:1]))
    ids = [network.vocabulary.encode(" find: the upper hole;")]
    prompts = Prompts(ids, torch.zeros(1, 64), torch.zeros(1, dtype=torch.bool), network.part_hints(maps))
    with torch.no_grad():
        network.words_out.bias[network.vocabulary.added.index(KPT)] = 100.0  # it answers with the position at once
        replies = network.reply(maps, prompts)
        embedded, mask, _ = network.asked(maps, prompts, [[network.vocabulary.id_of(KPT)]])
        states, _, _ = network.run(embedded, mask)
        placed, _ = network.place(states[:, -2], maps, prompts)
    assert replies.ids == [[network.vocabulary.id_of(KPT)]]
    torch.testing.assert_close(placed.xy_px, replies.placed.xy_px, atol=1e-3, rtol=0)


def test_a_vision_backbone_of_a_folder_is_used_and_stays_frozen(tmp_path: Path, llm: Path) -> None:
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 24], depths=[1, 1, 1], layer_type="basic")
    ResNetBackbone(config).save_pretrained(tmp_path)
    built = build(llm, tmp_path, side=64, lora_rank=4, seed=0)
    maps = built.network.see(torch.zeros(2, 64, 64, dtype=torch.uint8))
    assert maps.fine.shape == (2, 64, 16, 16)
    assert maps.tokens.shape == (2, 128, 4, 4)
    assert not any(w.requires_grad for n, w in built.network.named_parameters() if n.startswith("encoder.backbone."))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "nowhere", "is not a folder"),
        (lambda folder: folder, "neither config.json nor a GGUF file"),
    ],
)
def test_no_language_model_is_told_in_one_line(tmp_path: Path, make: object, said: str) -> None:
    with pytest.raises(NetworkError, match=said):
        load_language(make(tmp_path))  # type: ignore[operator]


def test_broken_folders_are_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(NetworkError, match="cannot be read as a causal language model"):
        load_language(tmp_path)
    with pytest.raises(NetworkError, match="cannot be read as a vision backbone"):
        load_backbone(tmp_path)
    (tmp_path / "config.json").unlink()
    (tmp_path / "some.gguf").write_bytes(b"GGUF")
    with pytest.raises(NetworkError, match="cannot be read as a causal language model"):
        load_language(tmp_path)
    with pytest.raises(NetworkError, match="it is no model of the method"):
        load(tmp_path)


def test_a_model_without_its_tokenizer_is_told(tmp_path: Path, llm: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(llm / name, tmp_path / name)
    with pytest.raises(NetworkError, match="tokenizer"):
        load_language(tmp_path)


def test_points_and_words_that_cannot_be(model: Path) -> None:
    teacher = Teacher.load(model)
    image = np.zeros((40, 60), np.uint8)
    with pytest.raises(DataError, match="outside of the image"):
        teacher.locate_like([image], image, np.array([[59.6, 3.0]]))
    with pytest.raises(DataError, match="outside of the image"):
        teacher.name_at(image, np.array([np.nan, 3.0]))
    with pytest.raises(DataError, match="2 names for 1 points"):
        teacher.locate_like([image], image, np.array([[5.0, 3.0]]), ["a", "b"])
    with pytest.raises(DataError, match="description is empty"):
        teacher.locate_words([image], ["  "])
    with pytest.raises(DataError, match="an image is float64"):
        teacher.locate_words([image.astype(np.float64)], ["the hole"])  # type: ignore[list-item]


@pytest.mark.parametrize("seed", range(20))
def test_a_drawn_family_has_a_name_of_its_own_for_each_keypoint(seed: int) -> None:
    family = drawn_family(seed)
    names = [str(name) for name in family.names]
    assert tuple(names) == family.blueprint.keypoints
    assert len(set(names)) == len(names) >= 4


def test_an_answer_is_read() -> None:
    assert read_answer("part: plate; keypoint: upper left hole; position: <kpt>") == ("plate", "upper left hole")
    assert read_answer("nonsense") == ("", "")
