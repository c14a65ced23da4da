"""What type checkers and editors see of the package is what there is."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from isthmus import _stubs
from isthmus.core import fields

TYPING = Path(__file__).parent / "typing"
ROOT = Path(__file__).resolve().parents[1]


def needs(tool: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(tool) is None
    return pytest.mark.skipif(missing, reason=f"{tool} is not installed: pip install -e .[dev]")


@pytest.fixture(scope="module")
def examples() -> Any:
    spec = importlib.util.spec_from_file_location("typing_examples", TYPING / "examples.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def data() -> ist.data.Data:
    whole = ist.data.load("digits")
    return ist.data.Data("some digits", whole.train.take(slice(300)), whole.test.take(slice(100)))


@needs("ruff")
def test_the_stub_is_what_the_declarations_say() -> None:
    assert _stubs.STUB.read_text(encoding="utf-8") == _stubs.stub(), "run `make stubs`"


def test_the_stub_has_every_public_name_and_no_other() -> None:
    tree = ast.parse(_stubs.STUB.read_text(encoding="utf-8"))
    bound = {
        name
        for node in tree.body
        for name in (
            [alias.asname for alias in node.names if alias.asname]
            if isinstance(node, ast.ImportFrom)
            else [node.name]
            if isinstance(node, ast.ClassDef | ast.FunctionDef)
            else []
        )
    }
    public = {name for name in bound if not name.startswith("_")}
    assert public == set(dir(ist)) - {"__version__"}
    assert all(hasattr(ist, name) for name in dir(ist))


@pytest.mark.parametrize("member", list(ist.MEMBERS))
def test_the_constructor_in_the_stub_is_the_constructor(member: str) -> None:
    cls = ist.MEMBERS[member]
    tree = ast.parse(_stubs.STUB.read_text(encoding="utf-8"))
    (written,) = (
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == cls.__name__
    )
    (init,) = (node for node in written.body if isinstance(node, ast.FunctionDef))
    defaults = (ast.literal_eval(value) for value in init.args.kw_defaults if value is not None)
    names = (argument.arg for argument in init.args.kwonlyargs)
    declared = fields.declared(cls)
    assert dict(zip(names, defaults, strict=True)) == {n: f.default for n, f in declared.items()}


@pytest.fixture(scope="module")
def found_lines() -> dict[str, set[int]]:
    """The lines in which the type checker finds an error, by the name of the file."""
    files = [TYPING / "examples.py", TYPING / "mistakes.py"]
    words = ["basedpyright", "--outputjson", "--pythonpath", sys.executable, *map(str, files)]
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == len(files), done.stderr
    found: dict[str, set[int]] = {file.name: set() for file in files}
    for problem in report["generalDiagnostics"]:
        found[Path(problem["file"]).name].add(problem["range"]["start"]["line"] + 1)
    return found


@needs("basedpyright")
def test_the_type_checker_takes_the_examples(found_lines: dict[str, set[int]]) -> None:
    assert found_lines["examples.py"] == set()


@needs("basedpyright")
def test_the_type_checker_finds_every_mistake_and_nothing_else(
    found_lines: dict[str, set[int]],
) -> None:
    lines = (TYPING / "mistakes.py").read_text(encoding="utf-8").splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert len(wrong) > 20
    assert found_lines["mistakes.py"] == wrong


@needs("jedi")
def test_an_editor_completes_the_members_and_their_fields() -> None:
    import jedi

    project = jedi.Project(ROOT, added_sys_path=[str(ROOT / "src")])

    def completions(code: str) -> set[str]:
        return {word.name for word in jedi.Script(code, project=project).complete()}

    assert {cls.__name__ for cls in ist.MEMBERS.values()} <= completions(
        "import isthmus as ist\nist."
    )
    for cls in (ist.VAE, ist.VQVAE):
        opened = f"import isthmus as ist\nist.{cls.__name__}("
        assert {f"{name}=" for name in fields.declared(cls)} <= completions(opened)
        (signature,) = jedi.Script(opened, project=project).get_signatures()
        assert [parameter.name for parameter in signature.params] == list(fields.declared(cls))
    assert {"fit", "transform", "nll"} <= completions("import isthmus as ist\nist.VAE().")


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("train_and_use", lambda found: found.shape[0] == 4),
        ("priors", np.isfinite),
        ("parts", lambda found: found["likelihood__scale"] == 0.3),
        ("on_top", lambda found: found.shape == (100, 10)),
        ("refused", lambda found: found.startswith("latent_dim=0 is not usable")),
    ],
)
def test_an_example_does_what_its_types_say(
    examples: Any, data: ist.data.Data, name: str, check: Callable[[Any], bool]
) -> None:
    assert check(getattr(examples, name)(data))


@pytest.mark.usefixtures("no_page")
def test_the_rest_of_the_tour_runs(examples: Any, data: ist.data.Data, tmp_path: Path) -> None:
    model = examples.own_networks().set_params(epochs=1, verbose=0).fit(data.train)
    assert len(examples.draw(data, model)) == 2
    model = ist.AE(epochs=1, verbose=0, random_state=0).fit(data.train)
    assert "mse" in examples.keep(tmp_path, model, data)
    assert [type(found) for found in examples.pretrained()] == [ist.VAE, ist.AE]
    assert set(examples.known()) >= {"vae", "bernoulli", "mixture", ist.__version__}
    labels = examples.compare(tmp_path, data)
    assert labels[:2] == ["AE", "SparseAE"]
