DELIVERY = {"IS": 1900, "DE": 490}  # cents a parcel


def total(cart):
    return sum(item.price for item in cart.items) + delivery(cart)


def delivery(cart):
    return DELIVERY[cart.country] + surcharge(cart)


def surcharge(cart):
    """Dear items travel insured."""
    return 150 if mean_price(cart.items) > 5000 else 0


def mean_price(items):
    return sum(item.price for item in items) / len(items)  # an empty cart: the demo's bug
