"""What a bulk action writes down of an item where it did what was asked, and where it could not."""

from typing import Final

DONE: Final = "done"
RECOVERED: Final = "recovered"
NOT_THERE: Final = "no entity"
