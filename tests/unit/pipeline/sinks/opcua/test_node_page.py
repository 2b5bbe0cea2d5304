from pathlib import Path

from pipeline.sinks.opcua.node_page import BEGIN, END, page_tables

PAGE = Path(__file__).parents[5] / "docs" / "opcua.md"


def test_the_page_has_the_table_of_the_code() -> None:
    page = PAGE.read_text()
    assert page[page.index(BEGIN) : page.index(END) + len(END)] == page_tables()
