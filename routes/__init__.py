"""HTTP routes of our own: signing in, invitations, the reading room, Explore's pictures. Thin: they call services."""

from starlette.routing import BaseRoute

from .accounts import account_routes
from .adjudication import adjudication_routes
from .elicitation import elicitation_routes
from .profile import profile_routes
from .reading import reading_routes
from .rehearsal import rehearsal_routes
from .views import views_routes

__all__ = ["all_routes"]


def all_routes() -> list[BaseRoute]:
    """Every route that is served beside Streamlit's own; `routes.guard.Guard` stands before all of them."""
    return [
        *account_routes,
        *profile_routes,
        *elicitation_routes,
        *reading_routes,
        *rehearsal_routes,
        *adjudication_routes,
        *views_routes,
    ]
