import logging

from django.http import Http404, HttpResponse, JsonResponse

from . import orders, pricing

log = logging.getLogger("shop.checkout")


def home(request):
    return HttpResponse("<!doctype html><title>Shop</title><h1>Tea and biscuits</h1>\n")


def order(request, number):
    try:
        return JsonResponse(orders.find(number))
    except orders.Unknown as e:
        raise Http404(str(e)) from e


def checkout(request):
    cart = orders.cart(request.COOKIES.get("cart"))
    log.info("checkout of %d item(s), delivery to %s", len(cart.items), cart.country)
    return JsonResponse({"total": pricing.total(cart)})
