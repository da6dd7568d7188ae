"""Parse a page into a tree of elements, for the tests of all pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr", "base", "embed", "source", "track", "wbr", "area", "col"}


@dataclass(eq=False)
class Element:
    """One element of a page."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self):
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    @property
    def elements(self):
        return [child for child in self.children if isinstance(child, Element)]

    def find_all(self, *tags):
        """Yield all elements inside, or those with one of the tags, in the order of the page."""
        for child in self.elements:
            if not tags or child.tag in tags:
                yield child
            yield from child.find_all(*tags)

    def find(self, tag):
        return next(self.find_all(tag))


class PageParser(HTMLParser):
    """Builds the tree of a page, and fails on markup that a browser would repair, such as a missing end tag."""

    def __init__(self):
        super().__init__()
        self.stack = [Element("page")]

    def handle_starttag(self, tag, attributes):
        assert len(dict(attributes)) == len(attributes), f"<{tag}> has an attribute twice"
        element = Element(tag, dict(attributes))
        self.stack[-1].children.append(element)
        if tag not in VOID:
            self.stack.append(element)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        assert self.stack[-1].tag == tag, f"</{tag}> ends <{self.stack[-1].tag}>"
        self.stack.pop()

    def handle_data(self, data):
        self.stack[-1].children.append(data)


def parse(html):
    parser = PageParser()
    parser.feed(html)
    parser.close()
    assert [element.tag for element in parser.stack] == ["page"]
    return parser.stack[0]
