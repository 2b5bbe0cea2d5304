"""A machine with a GPU, as far as this one can be it: the CUDA device on the host's driver, TensorRT's stand-in on it."""

from pathlib import Path

from engines.backends.tensorrt import Installed, TensorRtEngine
from engines.build import Progress, build_plan
from engines.devices.cuda import CudaDevice
from engines.plan import Machine, Profile
from pipeline.inspector import Inspector
from pipeline.keypoint_stages import load_keypoint_stages
from pipeline.network import Card, Network, read_card
from pipeline.recipe import Recipe, ViewRecipe
from pipeline.segment_stage import load_segment
from pipeline.stages.locate import make_locate
from pipeline.view_stages import ViewStages
from tests.host_driver import HostDriver
from tests.tensorrt_stand_in import StandIn

HERE = Machine("11.4.0", "580.65.06", "NVIDIA RTX 4000", "8.9")


class GraphicsBox:
    """Builds plans into `plans`, and loads engines and recipes on one device."""

    def __init__(self, plans: Path) -> None:
        self.driver = HostDriver()
        self.device = CudaDevice(self.driver)
        self.library = StandIn(self.driver)
        self.found = Installed(self.library, HERE)
        self.plans = plans
        self.told: list[Progress] = []

    def build(self, model: bytes, profile: Profile) -> bool:
        return build_plan(model, profile, "fp32", self.plans, self.told.append, self.found).is_new

    def load(self, model: bytes) -> TensorRtEngine:
        return TensorRtEngine(model, threads=1, plans=self.plans, device=self.device, found=self.found)

    def inspector(self, recipe: Recipe) -> Inspector:
        return Inspector(recipe, {name: self._view(view) for name, view in recipe.views.items()})

    def _view(self, view: ViewRecipe) -> ViewStages:
        def load(path: Path, role: type[Card]) -> Network[Card]:
            model = path.read_bytes()
            self.build(model, Profile(1, 16))
            engine = self.load(model)
            return Network(path, read_card(engine.spec, role, path), engine)

        stages = load_keypoint_stages(view, view.settings.keypoints, load)
        segment = None if view.segment is None else load_segment(view.segment, load)
        return ViewStages(view, make_locate(view.settings.locate, view.name, stages.device), stages, segment)
