"""A backup that is taken while hooks come in has every hook in it that was acknowledged before."""

from pathlib import Path

from relay.backup.archive import open_archive
from tests.e2e.test_up import stored_ids
from tests.e2e.up_harness import Load, post_hook, running_up


def test_a_backup_under_load_is_restored_into_an_empty_folder(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    with running_up(old) as up:
        with Load(up.port) as load:
            acknowledged = set(load.acknowledged)
            printed = up.run("backup", str(tmp_path / "file"))
            load.wait_for(5)
        assert set(load.ends) == {"202"}, load.ends
        assert printed.startswith(f"{tmp_path / 'file'}: ")
        up.folder = new
        assert " receipt(s) as of " in up.run("restore", str(tmp_path / "file"))
        assert "has a store" in up.run("restore", str(tmp_path / "file"), status=1)
    assert len(acknowledged) >= 20
    assert acknowledged <= stored_ids(new)


def test_a_backup_is_of_the_namespace_of_the_relay_that_runs(tmp_path: Path) -> None:
    with running_up(tmp_path, RELAY_NAMESPACE="shop") as up:
        assert post_hook(up.port, 1)[0] == "202"
        for number, elsewhere in enumerate(("", "other")):  # what the terminal of the backup says
            file = tmp_path / f"file-{number}"
            assert ": 1 receipt(s) as of " in up.run("backup", str(file), variables={"RELAY_NAMESPACE": elsewhere})
            with open_archive(file) as (manifest, _):
                assert (manifest.namespace, manifest.receipts) == ("shop", 1)
