from dataclasses import dataclass, field

ORDERS = {
    1: {"number": 1, "items": ["Darjeeling", "Shortbread"], "state": "delivered"},
    2: {"number": 2, "items": ["Earl Grey"], "state": "packed"},
}


class Unknown(LookupError):
    pass


@dataclass
class Item:
    name: str
    price: int  # cents


@dataclass
class Cart:
    country: str = "IS"
    items: list[Item] = field(default_factory=list)


def find(number):
    if number not in ORDERS:
        raise Unknown(f"no order {number}")
    return ORDERS[number]


def cart(cookie):
    """The visitor's cart; a new visitor's is empty."""
    if cookie == "tea":
        return Cart(items=[Item("Darjeeling", 790), Item("Earl Grey", 640)])
    return Cart()
