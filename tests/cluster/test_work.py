"""How the maps of images are divided among workers; no cluster here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from distributed.scheduler import KilledWorker

from partialseg.cluster import crew
from partialseg.cluster.crew import Crew
from partialseg.cluster.maps import Work, largest_part, strips_of
from partialseg.cluster.predict import UNFINISHED, check_workers, unfinished
from partialseg.cluster.remote import SRC, call, packed
from partialseg.cluster.worker import Job, Network, Task, do
from partialseg.mapping.frame import Frame
from partialseg.mapping.maps import Wanted
from partialseg.mapping.orthophoto import Reading
from partialseg.mapping.predict import Looked
from partialseg.mapping.runtime import Choice
from partialseg.mapping.tiles import Stitching
from rasters import write_raster

STITCHING = Stitching(tile=64, overlap=16, batch_size=1)


def looked(name: str, height: int, width: int) -> Looked:
    frame = Frame(width=width, height=height, crs=None, transform=Affine.identity())
    return Looked(image=Path(name), frame=frame, shape=(height, width))


def job(tmp_path: Path, runtime: str = "") -> Job:
    choice = Choice(runtime="torch", device="cpu", precision="float32")
    return Job(
        code="",
        network=Network(
            file=tmp_path / "best.pt", digest="", is_onnx=False, choice=choice, views="none"
        ),
        runtime=runtime,
        reading=Reading(bands=None, stretch=None, gsd=None, resample=True),
        stitching=STITCHING,
        tags={},
        wanted=Wanted(
            probabilities=False,
            entropy=False,
            polygons=False,
            areas=False,
            overlay=False,
            min_area=0,
        ),
        areas=True,
        seen=(),
        out=tmp_path,
        part=tmp_path,
        topic="maps-x",
    )


def test_strips_are_as_many_as_needed_and_cover_all_rows(tmp_path: Path) -> None:
    write_raster(tmp_path / "a.tif", np.zeros((3, 640, 500), np.uint8))
    image = looked(str(tmp_path / "a.tif"), 640, 500)  # 0.32 Mpx, 13 rows of tiles
    assert strips_of(image, STITCHING, None, 0.32) == []
    assert strips_of(image, STITCHING, None, 0.2) == [range(6), range(6, 13)]
    thirds = strips_of(image, STITCHING, None, 0.11)
    assert thirds == [range(4), range(4, 8), range(8, 13)]
    assert len(strips_of(image, STITCHING, None, 0.001)) == 13


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_what_is_decoded_from_its_first_row_on_is_not_cut(tmp_path: Path, suffix: str) -> None:
    file = write_raster(tmp_path / f"a{suffix}", np.zeros((3, 640, 50), np.uint8), crs=None)
    assert strips_of(looked(str(file), 640, 50), STITCHING, None, 0.01) == []


def test_parts_are_smaller_where_there_is_little_for_each_worker() -> None:
    image = looked("a.tif", 9_000, 10_000)  # 90 Mpx
    assert largest_part([image], 2) == pytest.approx(90 / 8)
    assert largest_part([image], 100) == 8
    assert largest_part([image] * 1000, 100) == 128
    assert largest_part([image], 0) == pytest.approx(90 / 4)  # before the first one comes


def test_strips_are_joined_as_soon_as_all_are_there(tmp_path: Path) -> None:
    work = Work(job(tmp_path))
    work.add(looked("a.tif", 1000, 3000), [range(0, 1), range(1, 3)])
    work.add(looked("b.tif", 1000, 1000), [])
    assert work.megapixels == 4
    first, second, whole = work.waiting
    assert [task.megapixels for task in work.waiting] == [1, 2, 1]
    work.waiting.clear()
    assert work.end(second, "folder 2") == ""
    assert not work.waiting
    work.waiting.append(whole)
    assert work.end(first, "folder 1") == ""
    join, other = work.waiting
    assert join.strips == ("folder 1", "folder 2") and other is whole
    assert work.end(join, "areas of a") == "a.tif: a_classes.tif"
    assert work.end(whole, "areas of b") == "b.tif: b_classes.tif"
    assert work.outcome.areas == {Path("a.tif"): "areas of a", Path("b.tif"): "areas of b"}
    assert work.outcome.failed == {}


def test_progress_is_counted_in_megapixels_and_may_go_back(tmp_path: Path) -> None:
    work = Work(job(tmp_path))
    work.add(looked("a.tif", 1000, 3000), [range(0, 1), range(1, 3)])
    first, second = work.waiting
    work.report({"task": second.number, "done": 0.5})
    assert work.done == 1
    work.report({"task": second.number, "done": 0.1})  # its worker has died
    assert work.done == pytest.approx(0.2)
    work.end(first, "folder")
    work.report({"task": first.number, "done": 0.9})  # comes late
    assert work.done == pytest.approx(1.2)


def test_an_image_that_fails_is_given_up_alone(tmp_path: Path) -> None:
    strip = tmp_path / "strip"
    strip.mkdir()
    work = Work(job(tmp_path))
    work.add(looked("a.tif", 1000, 4000), [range(0, 1), range(1, 2), range(2, 3), range(3, 4)])
    work.add(looked("b.tif", 1000, 1000), [])
    first, second, third, _, whole = work.waiting
    work.end(first, str(strip))
    path = Path("a.tif").absolute()
    assert work.fail(second, f"{path}: is damaged") == "a.tif: failed: a.tif: is damaged"
    assert list(work.waiting) == [whole]
    assert not strip.exists()
    strip.mkdir()
    assert work.end(third, str(strip)) == ""  # ran at the same time
    assert not strip.exists()
    assert work.fail(third, "again") == ""
    assert work.done == 4
    assert work.outcome.failed == {Path("a.tif"): "a.tif: is damaged"}


def test_images_that_have_maps_are_measured_alone(tmp_path: Path) -> None:
    work = Work(job(tmp_path))
    work.measure(Path("a.tif"))
    (task,) = work.waiting
    assert (task.measured, task.image, work.megapixels) == (True, Path("a.tif").absolute(), 0)
    assert work.end(task, "areas") == ""
    assert work.outcome.areas == {Path("a.tif"): "areas"}


def test_two_commands_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with unfinished(tmp_path, "run") as folder:
        assert folder == tmp_path / UNFINISHED / "run" and folder.is_dir()
        with (
            pytest.raises(ValueError, match="another command with workers writes its maps there"),
            unfinished(tmp_path, "other"),
        ):
            pass
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_command_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / UNFINISHED / "before" / "strip").mkdir(parents=True)
    with unfinished(tmp_path, "run") as folder:
        assert [item.name for item in folder.parent.iterdir() if item.is_dir()] == ["run"]


@pytest.mark.parametrize(
    ("number", "scheduler", "message"),
    [
        (0, "", "^workers: must be at least 1, got 0$"),
        (-1, "", "^workers: must be at least 1, got -1$"),
        (2, "tcp://a:1", "^workers: are started on this machine; with --scheduler, start as many"),
    ],
)
def test_numbers_of_workers_that_make_no_sense(number: int, scheduler: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_workers(number, scheduler)


def test_a_worker_says_what_it_does_not_see(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"^does not see {tmp_path}/elsewhere$"):
        call(f"{tmp_path}/elsewhere", b"")
    source, pickled = packed(sum, (1, 2))
    assert (source, call(source, pickled)) == (str(SRC), 3)
    with pytest.raises(ValueError, match=r"^cannot import the code in .*: No module named 'mis"):
        call(source, pickled.replace(b"builtins", b"missing_"))


def test_a_task_of_a_command_that_has_ended_is_not_done(tmp_path: Path) -> None:
    """On a worker that could not be told: its maps would replace those of a later command."""
    task = Task(number=0, image=tmp_path / "a.tif", megapixels=1.0)
    with pytest.raises(InterruptedError, match=r"^the command has ended$"):
        do(job(tmp_path), task)


class Answer:
    """A future that is done: with a result, or with an error."""

    def __init__(self, result: object) -> None:
        self._result = result

    def done(self) -> bool:
        return True

    def cancelled(self) -> bool:
        return False

    def exception(self) -> BaseException | None:
        return self._result if isinstance(self._result, BaseException) else None

    def result(self) -> object:
        return self._result

    def cancel(self) -> None:
        pass


class Scheduler:
    """A client whose workers answer what they are told to."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.offered: list[str] = []

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        return {"workers": {address: {} for address in self.answers}}

    def submit(self, *_: Any, workers: list[str], pure: bool) -> Any:
        answer = Answer(self.answers[workers[0]])
        if answer.result() is None:
            answer.done = lambda: False  # type: ignore[method-assign]
        return answer

    def run(self, *_: Any, workers: list[str]) -> None:
        self.offered += workers


def test_workers_without_the_runtime_of_the_others_are_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = Scheduler(
        {
            "tcp://a:1": "torch 2, CPU, float32",
            "tcp://b:1": ValueError("runtime: openvino is not installed"),
            "tcp://c:1": "torch 1, CPU, float32",
            "tcp://d:1": KilledWorker("x", None, 3),
            "tcp://e:1": "torch 2, CPU, float32",
        }
    )
    some = Crew(there, job(tmp_path, "torch 2, CPU, float32"))  # type: ignore[arg-type]
    assert some.size() == 2
    assert sorted(there.offered) == ["tcp://a:1", "tcp://e:1"]
    lines = sorted(capsys.readouterr().err.splitlines())
    assert lines[0] == "worker tcp://b:1 is refused: runtime: openvino is not installed"
    assert lines[1] == (
        "worker tcp://c:1 is refused: has torch 1, CPU, float32, not torch 2, CPU, float32"
    )
    assert lines[2].startswith("worker tcp://d:1 is refused: its worker died each time")
    there.answers = {"tcp://b:1": "", "tcp://f:1": "torch 2, CPU, float32"}
    assert some.size() == 1  # one has come, two have gone
    assert there.offered[2:] == ["tcp://f:1"]
    assert capsys.readouterr().err == ""  # none is refused twice


def test_where_all_are_refused_nothing_is_waited_for(tmp_path: Path) -> None:
    there = Scheduler({"tcp://a:1": ValueError("does not see /maps/token")})
    with pytest.raises(ValueError, match=r"^no worker can predict; tcp://a:1: does not see /maps"):
        Crew(there, job(tmp_path)).size()  # type: ignore[arg-type]


def test_workers_that_die_while_they_load_are_not_asked_for_ever(tmp_path: Path) -> None:
    there = Scheduler({})
    some = Crew(there, job(tmp_path))  # type: ignore[arg-type]
    for number in range(crew.MOST_LOST):
        there.answers = {f"tcp://a:{number}": None}  # has not answered
        assert some.size() == 0
    there.answers = {}
    with pytest.raises(ValueError, match=r"^workers die while they load the network; perhaps"):
        some.size()


def test_a_scheduler_without_workers_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = Crew(Scheduler({}), job(tmp_path))  # type: ignore[arg-type]
    assert some.size() == 0
    monkeypatch.setattr(crew, "NO_WORKER_SECONDS", -1)
    with pytest.raises(ValueError, match="the scheduler has had no worker that can predict"):
        some.size()


def test_tasks_are_known_by_their_number(tmp_path: Path) -> None:
    work = Work(job(tmp_path))
    for name in "abc":
        work.add(looked(f"{name}.tif", 10, 10), [])
    assert [task.number for task in work.waiting] == [0, 1, 2]
    assert all(isinstance(task, Task) and task.rows is None for task in work.waiting)
