from tests.licenses import declared, locked
from tests.processes import ROOT

PAGE = ROOT / "docs" / "licenses.md"
SERVED = ("api_service", "ws_service", "shared")
# What may be part of something that is not open itself. The weak copyleft of MPL is over its own files alone.
FREE = {
    *(
        "Apache 2",
        "Apache License",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "MIT",
        "MIT License",
        "MIT-0",
        "MPL-2.0",
    ),
    *("PSF-2.0", "Public Domain"),
}


def _listed() -> dict[str, str]:
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return {name.strip("`"): license_ for name, license_, *_ in rows}


def test_every_licence_is_listed_as_the_package_declares_it() -> None:
    """What is installed with the services stands in docs/licenses.md, and nothing else beside what is vendored."""
    listed = _listed()
    expected = {name: license_ for name in locked() if (license_ := declared(name))}
    assert {name: listed.get(name) for name in expected} == expected
    vendored = {file.stem for service in SERVED for file in (ROOT / service).rglob("vendor/*.LICENSE")}
    assert listed.keys() == locked() | vendored


def test_no_licence_asks_for_more_than_to_be_named() -> None:
    """Whoever builds on this may keep what is theirs."""
    alternatives = {name: license_.replace("(", "").replace(")", "") for name, license_ in _listed().items()}
    strange = {
        name: license_
        for name, license_ in alternatives.items()
        if not all(FREE & {*each.split(" OR ")} for each in license_.split(" AND "))
    }
    assert not strange
