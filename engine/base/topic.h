/* topic.h - the topics of the event feed, each once: its number, as it is stored, its name, and what its events tell. */
#ifndef BASE_TOPIC_H
#define BASE_TOPIC_H

#include <stdint.h>

/* X (identifier, number, name, meaning). Numbers are stored, as bit number - 1 of a mask: they never change. */
#define TOPICS(X)                                                                                       \
    X (ORDER_PROCESSED, 1, "order.processed", "an order was processed")                                 \
    X (ORDER_REFUNDED, 2, "order.refunded", "returns were booked under an order of their own")          \
    X (ORDER_CANCELLED, 3, "order.cancelled", "an order was undone")                                    \
    X (CARD_CREATED, 4, "card.created", "cards were made")                                              \
    X (CARD_ADJUSTED, 5, "card.adjusted", "points of a card changed otherwise than by an order")       \
    X (CATALOG_CHANGED, 6, "catalog.changed", "programs, stores, categories or levels changed")         \
    X (CARD_BLOCKED, 7, "card.blocked", "a card neither earns nor spends any more")                     \
    X (CARD_UNBLOCKED, 8, "card.unblocked", "a card earns and spends again")                            \
    X (MEMBERSHIP_CHANGED, 9, "membership.changed", "a member stands on another level")                 \
    X (ALERT, 10, "alert", "something that somebody should look at")                                    \
    X (POINTS_EXPIRED, 11, "points.expired", "points whose time was over were booked as expired")       \
    X (REFERRAL_BOOKED, 12, "referral.booked", "the owner of a referral code got points, or gave them back") \
    X (MEMBER_MERGED, 13, "member.merged", "a member became another")                                   \
    X (MEMBER_FORGOTTEN, 14, "member.forgotten", "all that told who a member was is taken out")         \
    X (POINTS_EARNED, 15, "points.earned", "an order gave points to cards, or took them back")                                    \
    X (POINTS_REDEEMED, 16, "points.redeemed", "an order spent points of cards, or gave them back")                                 \
    X (PROMOTION_APPLIED, 17, "promotion.applied", "programs gave something on an order")              \
    X (SYNC_FAILED, 18, "sync.failed", "something could not be brought to Odoo")

enum topic {
#define X(id, number, name, meaning) TOPIC_##id = number,
    TOPICS (X)
#undef X
    TOPIC_LAST = TOPIC_SYNC_FAILED
};

/* The bit of a topic in a mask of topics. */
#define TOPIC_BIT(topic) (UINT32_C (1) << ((topic) - 1))
#define TOPICS_ALL ((UINT32_C (1) << TOPIC_LAST) - 1)

/* The name of a topic; NULL: there is none of that number. */
const char *topic_name (unsigned topic);
/* The topic of a name; 0: there is none. */
unsigned topic_by_name (const char *name, unsigned size);

#endif
