"""The renderer: where templates are found, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from dexsetup.render.filters import UnquotableError
from dexsetup.render.jinja import JinjaRenderer, templates_directory


def _package_with_templates(directory: Path) -> None:
    folder = directory / "templates" / "opensmtpd"
    folder.mkdir(parents=True)
    (folder / "smtpd.conf.j2").write_text("x")


def test_templates_are_found_in_a_checkout_and_in_a_wheel(tmp_path: Path) -> None:
    """Beside the package in a checkout, inside it in a wheel; a wheel's own come first."""
    package = tmp_path / "dexsetup"
    package.mkdir()
    _package_with_templates(tmp_path)
    assert templates_directory(package) == tmp_path / "templates"
    _package_with_templates(package)
    assert templates_directory(package) == package / "templates"


def test_an_installation_without_templates_names_both_places(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"dexsetup/templates or .*/templates: this installation is"):
        templates_directory(tmp_path / "dexsetup")


def test_this_installation_has_its_templates() -> None:
    assert (templates_directory() / "units" / "dexrouter.service.j2").is_file()


@pytest.fixture
def renderer(tmp_path: Path) -> JinjaRenderer:
    (tmp_path / "greeting.j2").write_text("hello {{ name }}\n")
    (tmp_path / "quoted.j2").write_text("{{ name | smtpd_string }}\n")
    return JinjaRenderer(tmp_path)


def test_a_value_that_is_not_given_raises(renderer: JinjaRenderer) -> None:
    with pytest.raises(jinja2.UndefinedError, match="'name' is undefined"):
        renderer.render("greeting.j2")


def test_nothing_is_escaped_for_html_and_the_last_line_end_stays(renderer: JinjaRenderer) -> None:
    assert renderer.render("greeting.j2", name="<ö & Co>") == "hello <ö & Co>\n".encode()


def test_a_filter_that_refuses_is_heard(renderer: JinjaRenderer) -> None:
    with pytest.raises(UnquotableError):
        renderer.render("quoted.j2", name="a\nb")


def test_the_version_changes_with_the_text_alone(tmp_path: Path, renderer: JinjaRenderer) -> None:
    before = renderer.version("greeting.j2")
    assert renderer.version("greeting.j2") == before
    (tmp_path / "greeting.j2").write_text("hi {{ name }}\n")
    assert renderer.version("greeting.j2") != before
    assert len(before) == 12
