import gzip
from pathlib import Path

import pytest

from training.errors import SourceInvalid
from training.sources.interaction_table import LATEST, read_interactions

HEADER = "user_id,item_id,timestamp\n"


def written(folder: Path, content: str) -> Path:
    path = folder / "interactions.csv.gz"
    path.write_bytes(gzip.compress(content.encode()))
    return path


def test_ids_stay_as_they_are_written_and_times_become_seconds(tmp_path: Path) -> None:
    path = written(tmp_path, 'timestamp,user_id,item_id,stars\n12,007,"a,b",5\n1.5e3,7,ä,3\n9.9,x,y,\n')
    assert read_interactions(path).rows() == [("007", "a,b", 12), ("7", "ä", 1500), ("x", "y", 9)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user_id,item\n1,2\n", "no column item_id, timestamp; it has user_id, item"),
        (HEADER, "no interactions, only a header"),
        (HEADER + "1,2,3\n,2,3\n", "line 3, column user_id: '' is empty"),
        (HEADER + "1, ,3\n", "line 2, column item_id: ' ' is empty"),
        (HEADER + "1,2\n", "line 2, column timestamp: '' is empty"),
        (HEADER + "1,2,noon\n1,2,late\n", r"line 2, column timestamp: 'noon' is no number \(and 1 more rows\)"),
        (HEADER + "1,2,3\n1,2,NaN\n", "line 3, column timestamp: 'NaN' is no number"),
        (HEADER + "1,2,inf\n", "line 2, column timestamp: 'inf' is no number"),
        (HEADER + "1,2,-1\n", "line 2, column timestamp: '-1' is negative"),
        (HEADER + f"1,2,{LATEST + 1}\n", "column timestamp: .* milliseconds"),
        (HEADER + "1,2,3,4\n", "is no CSV table"),
    ],
)
def test_a_bad_table_is_named_with_file_line_and_column(tmp_path: Path, content: str, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(SourceInvalid, match=message) as caught:
        read_interactions(path)
    assert str(path) in str(caught.value)
