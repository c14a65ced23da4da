"""The documentation holds: its code runs, its commands exist, its links lead somewhere."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from benchmarks import pages, properties
from isthmus import registry
from isthmus.branches import BRANCHES
from isthmus.core import declarations, fields

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
ADDING = ROOT / "docs" / "add-a-member.md"
DESIGN = ROOT / "docs" / "design.md"
MEASURED = {name: ROOT / "docs" / "properties" / f"{name}.md" for name in properties.PROPERTIES}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", prose)
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_the_example_of_a_new_member_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: np.ndarray
) -> None:
    member, line, trial = blocks(ADDING, "python")[:3]
    (tmp_path / "pulled.py").write_text(member)
    monkeypatch.syspath_prepend(str(tmp_path))
    name, target = re.findall(r'"([^"]+)"', line)
    monkeypatch.setattr(registry.MEMBERS, "_targets", dict(registry.MEMBERS._targets))
    registry.MEMBERS.add(name, target.replace("isthmus.models.", ""))
    cls = registry.MEMBERS[name]
    assert declarations.read(registry.MEMBERS.target(name)) == fields.declared(cls)
    weak, strong = (cls(pull=pull, epochs=20, random_state=0).fit(few) for pull in (0.0, 10.0))
    assert np.abs(strong.transform(few)).mean() < 0.2 * np.abs(weak.transform(few)).mean()
    assert "length" in strong.history_[-1]
    names: dict[str, Any] = {}
    exec(compile(trial, "add-a-member.md", "exec"), names)
    assert names["loss"].terms["length"].shape == names["loss"].objective.shape == (5,)
    assert names["loss"].made.parameters.shape == (5, 1, 8, 8)
    again = ist.load(strong.save(tmp_path / "run"))
    assert np.array_equal(again.transform(few), strong.transform(few))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the package is installed that the page on members and parts writes."""
    site = tmp_path_factory.mktemp("site")
    info = site / "mypackage-1.0.dist-info"
    for folder in (site / "mypackage", info):
        folder.mkdir()
    text = ADDING.read_text()
    files = re.findall(r"`mypackage/(\w+\.py)`:\n\n```python\n(.*?)^```", text, re.DOTALL | re.M)
    for name, code in [("pulled.py", blocks(ADDING, "python")[0]), *files]:
        (site / "mypackage" / name).write_text(code)
    project = tomllib.loads(blocks(ADDING, "toml")[0])["project"]
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mypackage\nVersion: 1.0\n")
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in offered.items())
        for group, offered in project["entry-points"].items()
    )
    (info / "entry_points.txt").write_text(points)
    return site


def test_the_package_of_the_page_works(
    package: Path,
    commands_with: Callable[[Path], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where it is installed, every part of it is trained, saved and loaded, and is an option."""
    monkeypatch.chdir(tmp_path)
    lines = blocks(ADDING, "sh")[0].splitlines()
    assert len(lines) == 3
    with commands_with(package) as run:
        names: dict[str, Any] = {}
        exec(compile(blocks(ADDING, "python")[-1], "add-a-member.md", "exec"), names)
        for name, known in (
            ("laplace", registry.LIKELIHOODS),
            ("normed", registry.NETWORKS),
            ("ternary", registry.QUANTIZERS),
            ("diagonal", registry.PRIORS),
        ):
            assert declarations.read(known.target(name)) == fields.declared(known[name]), name
        for line in lines:
            words = shlex.split(line)
            status, _, said = run(*words[1:])
            assert (words[0], status) == ("isthmus", 0), said
    threes, codes, vae, vq, data = itemgetter("threes", "codes", "vae", "vq", "data")(names)
    assert threes.shape == (4, 1, 8, 8)
    assert codes.max() <= 2
    assert (vae.likelihood_, vae.module_.likelihood.scale) == ("laplace", 0.2)
    short = ist.AE(epochs=9, callbacks=[names["Plateau"](0.99)]).fit(data.train)
    assert len(short.history_) == 2
    again = vq.decode(vq.encode(data.test.x))
    assert (again == vq.reconstruct(data.test.x)).all()


def listed_rooms(text: str) -> list[str]:
    """What the house of a page lists, as paths: a room, or what stands in one."""
    house = re.search(r"^    isthmus/\n(.*?)^\S", text, re.DOTALL | re.MULTILINE)
    assert house is not None
    found, room = [], ""
    for indent, name in re.findall(r"^ {6}( {0,2})(\S+)", house[1], flags=re.MULTILINE):
        room = room if indent else name
        found.append(room + name if indent else name)
    return found


def test_the_design_names_every_room_and_every_module_once() -> None:
    source = Path(ist.__file__).parent
    there = [
        f"{path.relative_to(source)}{'/' if path.is_dir() else ''}"
        for path in (*source.glob("*"), *source.glob("*/*"))
        if (path / "__init__.py").exists()
        or (path.suffix == ".py" and (path.parent == source or path.name != "__init__.py"))
    ]
    assert sorted(listed_rooms(DESIGN.read_text())) == sorted(there)


def test_the_design_orders_the_rooms_as_they_are_held() -> None:
    tree = ast.parse((ROOT / "tests" / "test_rooms.py").read_text())
    (order,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ORDER"
    )
    assert "".join(f"    {', '.join(rooms)}\n" for rooms in order) in DESIGN.read_text()


def test_the_design_points_to_files_that_are_there() -> None:
    named = set(re.findall(r"`((?:[\w]+/)+\w+(?:\.py|/))`", DESIGN.read_text()))
    roots = (ROOT, Path(ist.__file__).parent)
    assert len(named) > 20
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []


MEMBER_PAGES = [ROOT / "docs" / "members" / f"{name}.md" for name in registry.MEMBERS]
RUN = pytest.mark.parametrize(
    "page",
    [
        ROOT / "README.md",
        *(
            ROOT / "docs" / f"{n}.md"
            for n in (
                "compression",
                "conditions",
                "diagnose",
                "export",
                "judges",
                "maps",
                "outliers",
                "series",
                "sound",
                "tables",
            )
        ),
        *MEMBER_PAGES,
    ],
    ids=lambda page: page.stem,
)


def test_the_tables_of_the_readme_are_the_branches() -> None:
    parts = re.split(r"^\*\*[^*]+\*\*$", (ROOT / "README.md").read_text(), flags=re.MULTILINE)[1:]
    tables = [re.findall(r"^\| `([A-Z]\w+)` \|", part, flags=re.MULTILINE) for part in parts]
    names = {cls.__name__: name for name, cls in registry.MEMBERS.items()}
    shown = [tuple(names[member] for member in table) for table in tables if table]
    assert shown == list(BRANCHES.values())


@pytest.mark.parametrize("page", MEASURED.values(), ids=lambda page: page.stem)
def test_the_python_of_a_property_shows_it(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks(page, "python")
    exec(compile(re.sub(r"epochs = 60 .*|epochs=60", "epochs=20", code), page.name, "exec"), {})
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    last = [float(words[-1]) for words in printed]
    if page.stem == "data-specific":
        assert max(last) == last[9]  # the digit that was not seen
        return
    assert last == sorted(last, reverse=True)  # more numbers, or more examples, lose less
    if page.stem == "lossy":
        assert all(float(words[2]) < float(words[4]) for words in printed)  # than PCA


@RUN
@pytest.mark.usefixtures("fewer_digits", "operators_read_once")
def test_the_python_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks(page, "python"))
    assert code
    code = re.sub(r"epochs=\d+", "epochs=1", code)
    exec(compile(code, page.name, "exec"), {})


@RUN
@pytest.mark.usefixtures("fewer_digits", "no_page", "operators_read_once")
def test_the_commands_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status_of: Callable[..., int]
) -> None:
    monkeypatch.chdir(tmp_path)
    # their Python makes the files that the commands read
    making = {"maps": 2, "series": 1, "sound": 1, "tables": 1}.get(page.stem, 0)
    code = "\n".join(blocks(page, "python")[:making])
    exec(compile(re.sub(r"epochs=\d+", "epochs=1", code), "page", "exec"), {})
    lines = [
        line
        for block in blocks(page, "sh")
        for line in block.splitlines()
        if line.startswith("isthmus ")
    ]
    assert len(lines) >= (1 if page in MEMBER_PAGES else 3)
    for line in lines:
        words = shlex.split(re.sub(r"epochs \d+", "epochs 1", line), comments=True)
        if is_trained_by_default(words):
            words += ["--epochs", "1"]
        assert status_of(*words[1:]) == 0, line


def is_trained_by_default(words: list[str]) -> bool:
    """Whether a command fits a prior for as many epochs as are declared, which takes long."""
    if words[1] != "fit-prior" or "--prior" not in words or "--epochs" in words:
        return False
    prior = registry.PRIORS[words[words.index("--prior") + 1]]
    return "epochs" in fields.declared(prior)


def test_the_members_and_settings_of_the_readme_are_those_there_are() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \|.*\| (.*) \|$", (ROOT / "README.md").read_text(), flags=re.MULTILINE
    )
    assert sorted(member for member, _ in rows) == sorted(
        cls.__name__ for cls in registry.MEMBERS.values()
    )
    for page, words in (("README.md", "It has {} models"), ("README.zh-TW.md", "共有 {} 種模型")):
        assert words.format(len(registry.MEMBERS)) in (ROOT / page).read_text()
    for member, settings in rows:
        known = {key.rpartition("__")[2] for key in getattr(ist, member)().get_params()}
        assert set(re.findall(r"`(\w+)`", settings)) <= known  # its own, and those of its parts


@pytest.mark.parametrize("page", MEASURED.values(), ids=lambda page: page.stem)
def test_the_numbers_of_a_page_are_those_of_its_run(page: Path) -> None:
    known = properties.numbers(properties.read(), page.stem)
    text = page.read_text()
    assert pages.filled(text, known) == text
    assert len(pages.MARKED.findall(text)) > 10
    prose = pages.MARKED.sub(
        "", re.sub(r"```.*?```|`[^`]*`|^ {4}.*?$", "", text, flags=re.DOTALL | re.MULTILINE)
    )
    assert re.findall(r"\d+\.\d+", prose) == []  # every measured number has its mark


def test_a_mark_takes_the_number_of_its_name_and_keeps_the_decimals() -> None:
    text = (
        "an error of 1.00<!--ae.error-->, or −3<!--ae.share%--> % of 10<!--n.all-->; 2.5 is no mark"
    )
    found = pages.filled(text, {"ae.error": -12.345, "ae.share": 0.4567, "n.all": 60000})
    assert (
        found
        == "an error of −12.35<!--ae.error-->, or 46<!--ae.share%--> % of 60,000<!--n.all-->; 2.5"
        " is no mark"
    )
    with pytest.raises(KeyError, match=r"ae\.error"):
        pages.filled(text, {})
