"""A backup that is taken while hooks come in has every hook in it that was acknowledged before."""

from pathlib import Path

from tests.e2e.test_up import stored_ids
from tests.e2e.up_harness import Load, running_up


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
