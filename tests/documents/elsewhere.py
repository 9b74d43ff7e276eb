"""The blocks that are not run with the others, each with the reason and with what is tested instead."""

from typing import NamedTuple

from tests.documents.markdown import Block


class Elsewhere(NamedTuple):
    """The blocks of a page that begin so; `tested` names the file or the test that does the same."""

    page: str
    begins: str
    reason: str
    tested: str

    def has(self, block: Block) -> bool:
        """Whether it is one of them."""
        return block.page_name == self.page and block.text.startswith(self.begins)


_RESTORE = "tests/e2e/test_restore.py::test_a_"

ELSEWHERE = (
    Elsewhere("docs/containers.md", "debootstrap ", "root, and minutes", "tests/images/stand_ins.py"),
    Elsewhere("docs/containers.md", "buildah ", "root, and minutes", "tests/images/build.py"),
    Elsewhere("docs/containers.md", "unshare ", "root", "tests/images/sandbox.py"),
    Elsewhere("docs/containers.md", "podman system ", "root, and minutes", "tests/images/compose.py"),
    Elsewhere(
        "docs/operations.md",
        "mongodump ",
        "no registry has it",
        f"{_RESTORE}restored_catalogue_is_told_as_a_new_one_and_not_product_by_product",
    ),
    Elsewhere(
        "docs/operations.md",
        "db.feed.updateOne",
        "no registry has mongosh",
        f"{_RESTORE}log_that_was_put_back_is_of_another_epoch_once_that_is_set",
    ),
    *(
        Elsewhere(
            "docs/operations.md", begins, "a part of a proxy's configuration", "tests/e2e/test_closed_operation.py"
        )
        for begins in ("location ~ ^/operate", "http-request deny", "routers:")
    ),
    Elsewhere("docs/security.md", "pipx run pip-audit", "it takes the internet", "tests/unit/test_licenses.py"),
    Elsewhere(
        "shared/browser/client/README.md",
        "<ol>",
        "it takes Chromium, and a page of another origin",
        "tests/e2e/test_client.py::test_the_page_of_the_readme_listens",
    ),
    Elsewhere(
        "shared/browser/client/README.md",
        "import { connect }",
        "it takes the package as npm packs it",
        "tests/e2e/test_client.py::test_the_program_of_the_readme_listens",
    ),
)


def is_elsewhere(block: Block) -> bool:
    """Whether a block stands in the table."""
    return any(each.has(block) for each in ELSEWHERE)
