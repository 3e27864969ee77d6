"""The protocol's methods as Python methods: shorthands for ``call``, shared by both clients.

Each returns what ``call`` returns: the result, or with the asyncio client something to await. Arguments that
are None are left out of the body. ``options`` are those of ``call``: ``key``, ``timeout``, ``affinity``,
``traceparent``.
"""

from ._load import load_steps


def _given(**fields):
    return {name: value for name, value in fields.items() if value is not None}


class Methods:
    """Shorthands for ``call``."""

    def call(self, method, body=None, **options):
        """Calls a method: see the clients."""
        raise NotImplementedError

    # Orders: the body is the order as docs/reference.md describes it.

    def order_quote(self, order, **options):
        """Prices an order (a dict); nothing is written."""
        return self.call("order.quote", order, **options)

    def order_process(self, order, **options):
        """Prices an order (a dict), earns and spends: once for each ``order_id``, however often it is sent."""
        return self.call("order.process", order, **options)

    def order_refund(self, order, **options):
        """Takes goods back: an order of its own with negative quantities only, and ``refund_of``."""
        return self.call("order.refund", order, **options)

    def order_cancel(self, order_id, reason=None, **options):
        """Undoes wholly an order that was never paid for."""
        return self.call("order.cancel", _given(order_id=order_id, reason=reason), **options)

    def order_get(self, order_id, **options):
        """A stored order, as it was answered."""
        return self.call("order.get", {"order_id": order_id}, **options)

    def order_explain(self, order_id, **options):
        """What a stored order was made from, every step, and whether it would still come out the same."""
        return self.call("order.explain", {"order_id": order_id}, **options)

    # Cards: named by ``card_id``, by ``code``, or by ``partner_id`` (and ``program_id`` where the member has several).

    def card_create(
        self, program_id, partner_id=None, code=None, points=None, expires=None, odoo_card_id=None, **options
    ):
        """Makes a card; without ``partner_id`` it is its bearer's, without ``code`` one is made up."""
        body = _given(
            program_id=program_id,
            partner_id=partner_id,
            code=code,
            points=points,
            expires=expires,
            odoo_card_id=odoo_card_id,
        )
        return self.call("card.create", body, **options)

    def card_get(self, card_id=None, code=None, partner_id=None, program_id=None, **options):
        """One card, or a member's cards."""
        body = _given(card_id=card_id, code=code, partner_id=partner_id, program_id=program_id)
        return self.call("card.get", body, **options)

    def card_balance(self, card_id=None, code=None, partner_id=None, program_id=None, at=None, **options):
        """A card's balance, now or at an instant to come."""
        body = _given(card_id=card_id, code=code, partner_id=partner_id, program_id=program_id, at=at)
        return self.call("card.balance", body, **options)

    def card_history(
        self, card_id=None, code=None, partner_id=None, program_id=None, limit=None, cursor=None, **options
    ):
        """A page of a card's journal, the newest first; ``cursor`` is ``next_cursor`` of the page before."""
        body = _given(
            card_id=card_id, code=code, partner_id=partner_id, program_id=program_id, limit=limit, cursor=cursor
        )
        return self.call("card.history", body, **options)

    def card_adjust(
        self, points, reason, card_id=None, code=None, partner_id=None, program_id=None, expires=None, **options
    ):
        """Adds points, or takes them when negative; the reason stands in the journal."""
        body = _given(
            points=points,
            reason=reason,
            card_id=card_id,
            code=code,
            partner_id=partner_id,
            program_id=program_id,
            expires=expires,
        )
        return self.call("card.adjust", body, **options)

    def card_block(self, reason, card_id=None, code=None, partner_id=None, program_id=None, **options):
        """A card that neither earns nor spends."""
        body = _given(reason=reason, card_id=card_id, code=code, partner_id=partner_id, program_id=program_id)
        return self.call("card.block", body, **options)

    def card_unblock(self, reason, card_id=None, code=None, partner_id=None, program_id=None, **options):
        """A blocked card does both again."""
        body = _given(reason=reason, card_id=card_id, code=code, partner_id=partner_id, program_id=program_id)
        return self.call("card.unblock", body, **options)

    def card_transfer(self, source, target, reason, points=None, **options):
        """Points from card to card (each an id or a code); all that are usable when ``points`` is not given."""
        body = {"from": source, "to": target, "reason": reason, **_given(points=points)}
        return self.call("card.transfer", body, **options)

    def points_hold(
        self, points, card_id=None, code=None, partner_id=None, program_id=None, ttl_s=None, **options
    ):
        """Reserves points of a card for a time (15 minutes)."""
        body = _given(
            points=points, card_id=card_id, code=code, partner_id=partner_id, program_id=program_id, ttl_s=ttl_s
        )
        return self.call("points.hold", body, **options)

    def points_capture(self, hold_id, points=None, reason=None, **options):
        """Spends what is held, or so many points of it; the rest is released."""
        return self.call("points.capture", _given(hold_id=hold_id, points=points, reason=reason), **options)

    def points_release(self, hold_id, **options):
        """Lets go of what is held."""
        return self.call("points.release", {"hold_id": hold_id}, **options)

    # Coupons.

    def coupon_generate(self, program_id, pattern, count=None, **fields):
        """Cards with codes made by a pattern; the fields are those of coupon.generate, and the options of a call."""
        options = {name: fields.pop(name) for name in ("key", "timeout") if name in fields}
        body = _given(program_id=program_id, pattern=pattern, count=count, **fields)
        return self.call("coupon.generate", body, **options)

    def coupon_list(self, batch, limit=None, cursor=None, **options):
        """A page of a batch's coupons; ``cursor`` is ``next_cursor`` of the page before."""
        return self.call("coupon.list", _given(batch=batch, limit=limit, cursor=cursor), **options)

    def coupon_check(self, code, **options):
        """What a code is worth."""
        return self.call("coupon.check", {"code": code}, **options)

    def referral_create(self, partner_id, program_id, **options):
        """A member's referral code: the one there is, or a new one."""
        return self.call("referral.create", {"partner_id": partner_id, "program_id": program_id}, **options)

    # Members.

    def membership_get(self, partner_id, **options):
        """A member's level, what counts of the spending, and what is missing for the next."""
        return self.call("membership.get", {"partner_id": partner_id}, **options)

    def membership_change(self, partner_id, level, reason, since=None, until=None, points=None, **options):
        """Puts a member on a level; ``points`` is ``transfer`` or ``reset``, or as the level says."""
        body = {"partner_id": partner_id, "membership_product_id": level, "reason": reason}
        body.update(_given(**{"from": since, "to": until, "points": points}))
        return self.call("membership.change", body, **options)

    def membership_evaluate(self, partner_id, **options):
        """Moves a member up or down by what was spent."""
        return self.call("membership.evaluate", {"partner_id": partner_id}, **options)

    def member_merge(self, partner_id, into_partner_id, reason=None, **options):
        """Makes one member of two: who names ``partner_id`` later means ``into_partner_id``."""
        body = {"partner_id": partner_id, "into_partner_id": into_partner_id, **_given(reason=reason)}
        return self.call("member.merge", body, **options)

    def member_forget(self, partner_id, **options):
        """Takes out all that tells who a member was; again, until the answer says ``done``."""
        return self.call("member.forget", {"partner_id": partner_id}, **options)

    # Events.

    def events_read(self, after=None, limit=None, topics=None, **options):
        """Events after a number, in their order, and the number to go on ``after``; ``events`` follows them for you."""
        return self.call("events.read", _given(after=after, limit=limit, topics=topics), **options)

    # Background jobs.

    def job_run(self, job, period=None, limit=None, **options):
        """A step of a job (``expire``, ``memberships``, ``holds``, ``referrals``); again until the answer says ``done``."""
        return self.call("job.run", _given(job=job, period=period, limit=limit), **options)

    def job_list(self, **options):
        """How far each job is."""
        return self.call("job.list", {}, **options)

    def job_stop(self, job, **options):
        """Stops a job until ``job.run`` says to go on."""
        return self.call("job.stop", {"job": job}, **options)

    # Programs and what they refer to.

    def program_put(self, program, **options):
        """Makes or replaces a program (a dict)."""
        return self.call("program.put", program, **options)

    def program_get(self, program_id, catalog_version=None, **options):
        """A program, as it is or as it was in a catalog version."""
        return self.call("program.get", _given(program_id=program_id, catalog_version=catalog_version), **options)

    def program_list(self, state=None, limit=None, cursor=None, **options):
        """A page of the programs, by id; ``cursor`` is ``next_cursor`` of the page before."""
        return self.call("program.list", _given(state=state, limit=limit, cursor=cursor), **options)

    def program_delete(self, program_id, **options):
        """Takes a program out of use; its versions stay."""
        return self.call("program.delete", {"program_id": program_id}, **options)

    def reference_put(self, stores=None, partners=None, products=None, categories=None, levels=None, **options):
        """Puts stores, partners, products, categories and levels, each a list of dicts."""
        body = _given(stores=stores, partners=partners, products=products, categories=categories, levels=levels)
        return self.call("reference.put", body, **options)

    def admin_health(self, **options):
        """The state of a worker and of its database."""
        return self.call("admin.health", {}, **options)

    def admin_stats(self, **options):
        """The broker's figures, and each worker's."""
        return self.call("admin.stats", {}, **options)

    def admin_drain(self, worker=None, **options):
        """Ends all workers of that name, or this broker, once what they have is answered."""
        return self.call("admin.drain", _given(worker=worker), **options)

    def admin_ping(self, **options):
        """A sign of life of the broker, and whether it is about to stop."""
        return self.call("admin.ping", {}, **options)

    def load(
        self,
        programs=(),
        products=(),
        partners=(),
        stores=(),
        categories=(),
        levels=(),
        note=None,
        timeout=None,
        **options,
    ):
        """Loads all of these, each a list of dicts, as one: staged in parts and switched over whole, or not at all.
        Returns the result of ``load.commit``. ``timeout`` counts for each of the requests that it takes."""
        steps = load_steps(
            {
                "stores": stores,
                "categories": categories,
                "levels": levels,
                "products": products,
                "partners": partners,
                "programs": programs,
            },
            note,
        )
        return self._drive(steps, dict(options, timeout=timeout))

    def _drive(self, steps, options):
        """Sends what `steps` yields and gives it each result; returns what it returns."""
        result = None
        while True:
            try:
                method, body = steps.send(result)
            except StopIteration as stop:
                return stop.value
            result = self.call(method, body, **options)
