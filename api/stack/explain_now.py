"""Why a customer stands where it stands now, by the policy in force with what operators decided."""

from api.explain.build import explain, explain_shared
from api.explain.explanation import Explanation
from api.stack.policy import policy_in_force
from schemas import providers
from schemas.settings import Settings
from schemas.wording import shared_name
from streams.decisions.customers import plans
from streams.decisions.overrides import for_plans, with_stored
from streams.decisions.stored_overrides import stored_overrides
from streams.io.store import Store


def explain_now(settings: Settings, store: Store, whose: str, now_ms: int) -> Explanation | None:
    """`whose` is a customer, or `pool:NAME` and the like for the small ones that share it; `now_ms` is epoch ms. None
    where nothing is stored of it.

    Raises:
        PolicyError: the policy in force cannot be understood.
        StoreError: the store failed.
    """
    policy = policy_in_force(settings, store).policy
    loop = providers.load_providers().with_feedback_loop()
    if shared_name(whose):
        return explain_shared(store, whose, policy, loop, now_ms)
    of_plan = for_plans(policy, plans(store, whose))
    merged = with_stored(of_plan, stored_overrides(store, now_ms, whose), now_ms)
    return explain(store, whose, merged, loop, now_ms, past=False)
