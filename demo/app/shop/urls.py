from django.urls import path

from . import views

urlpatterns = [
    path("", views.home),
    path("orders/<int:number>", views.order),
    path("checkout", views.checkout),
]
