/* SPDX-License-Identifier: Apache-2.0 */
/* What the rings with several producers share: positions, state words, claims, commits and the recovery of claims. One step of a
 * process is one load, store or compare-and-swap of one shared word, or one system call; what else stands in the same atomic is
 * local to it, or a ghost: something that only the model knows, to check against.
 *
 *   SLOTS      slots of the ring
 *   RUNS       claims that each producer makes
 *   BATCH      most slots that a claim asks for
 *   DEATHS     how many may die, each at any step, of those in DEADLY (a bit for each seat); RESTARTS of them come again, under
 *              the same seat
 */
#ifndef SLOTS
#define SLOTS 4
#endif
#ifndef RUNS
#define RUNS 2
#endif
#ifndef BATCH
#define BATCH 2
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef RESTARTS
#define RESTARTS 0
#endif
#ifndef PRODUCERS
#define PRODUCERS 2
#endif

/* Seats: producers 1 and 2, consumers 3 and 4. */
#define SEATS 5
#define BIT(seat) (1 << (seat))
#ifndef DEADLY
#define DEADLY (BIT(1) | BIT(2) | BIT(3) | BIT(4))
#endif

#define CLAIMED 1
#define PUBLISHED 2
#define PADDING 3
#define TAKEN 4
#define RELEASED 5

#define INDEX(p) ((p) % SLOTS)
#define LAP(p) ((p) / SLOTS)
#define WORD(phase, seat, count, p) ((phase) | ((seat) << 3) | ((count) << 6) | (LAP(p) << 9))
#define PHASE(w) ((w) & 7)
#define SEAT(w) (((w) >> 3) & 7)
#define COUNT(w) (((w) >> 6) & 7)
#define WORD_LAP(w) ((w) >> 9)
/* The word tells of position p; of the same slot in a later lap. */
#define TELLS(w, p) (PHASE(w) != 0 && WORD_LAP(w) == LAP(p))
#define LATER(w, p) (PHASE(w) != 0 && WORD_LAP(w) > LAP(p))
#define AGAIN (-1)
#define IS(w, p, phase) (TELLS(w, p) && PHASE(w) == phase)

/* In shared memory. */
byte published, released, taken;
short states[SLOTS];
byte slot[SLOTS]; /* a message: seat * 8 + its number; 0: not written */

/* The kernel's locks. */
bool lives[SEATS];
byte seizer[SEATS];

/* Ghosts. */
byte user[SLOTS]; /* the living that write a slot or read it, a bit each */
byte sent[SEATS]; /* messages that each producer has committed */
byte next[SEATS]; /* the message of each producer that must come next */
bool over[SEATS]; /* done, or dead for good */
bool again;       /* a consumer died: messages may come twice */
byte deaths;
byte restarts = RESTARTS;
byte ghost;       /* an index, 0 between steps */

#define CAS(word, old, new) d_step { if :: word == (old) -> word = new :: else fi }
#define MIN(a, b) ((a) < (b) -> (a) : (b))

inline use(seat, p, n)
{
    do
    :: ghost < n ->
        assert(user[INDEX(p + ghost)] == 0); /* nobody else writes or reads it */
        user[INDEX(p + ghost)] = BIT(seat);
        ghost++
    :: else -> break
    od;
    ghost = 0
}

inline give(seat, p, n)
{
    do
    :: ghost < n ->
        user[INDEX(p + ghost)] = user[INDEX(p + ghost)] & ~BIT(seat);
        ghost++
    :: else -> break
    od;
    ghost = 0
}

/* What `seat` held is nobody's any more, and its locks are free. */
inline die(seat)
{
    lives[seat] = false;
    deaths++;
    again = again || seat >= 3;
    do
    :: ghost < SLOTS ->
        user[ghost] = user[ghost] & ~BIT(seat);
        ghost++
    :: else -> break
    od;
    ghost = 0;
    do
    :: ghost < SEATS ->
        if
        :: seizer[ghost] == seat -> seizer[ghost] = 0
        :: else
        fi;
        ghost++
    :: else -> break
    od;
    ghost = 0
}

/* Message `id` is delivered: each producer's come in order, none is left out, none comes twice unless a consumer died. */
inline deliver(id)
{
    assert(id != 0);
    assert(id % 8 == next[id / 8] || (again && id % 8 < next[id / 8]));
    if
    :: id % 8 == next[id / 8] -> next[id / 8]++
    :: else
    fi
}

#define all_delivered (over[1] && over[2] && next[1] == sent[1] && next[2] == sent[2])

/* Up to `want` slots that lie together: `n` of them at `p`; n = 0: full, as far as the words p, s, r told. */
inline claim(me, want, p, s, r, n)
{
    do
    :: p = published;
        atomic {
            s = states[INDEX(p)];
            if
            :: TELLS(s, p) /* somebody claimed here already: help */
#ifndef NO_LAP_CHECK
            :: LATER(s, p) -> goto stale /* the position is old */
#endif
            :: else -> goto room
            fi
        };
        d_step { CAS(published, p, p + COUNT(s)); s = 0 };
        goto stale;
    room:
        atomic {
            r = released;
#ifndef NO_LAP_CHECK
            if
            :: r > p -> goto stale
            :: else
            fi;
#endif
            n = SLOTS - (p - r);
            n = MIN(n, want);
            n = MIN(n, SLOTS - INDEX(p));
            if
            :: n == 0 -> break
            :: else -> r = 0
            fi
        };
        atomic {
            if
#ifdef CLAIM_BY_STORE
            :: true ->
#else
            :: states[INDEX(p)] == s ->
#endif
                d_step {
                    states[INDEX(p)] = WORD(CLAIMED, me, n, p);
                    use(me, p, n);
                    do
                    :: ghost < n -> slot[INDEX(p + ghost)] = 0; ghost++
                    :: else -> break
                    od;
                    ghost = 0;
                    s = 0
                }
            :: else -> n = 0; goto stale
            fi
        };
        atomic {
            CAS(published, p, p + n);
            break
        };
    stale:
        atomic { p = 0; s = 0; r = 0 }
    od
}

/* The first k of n claimed slots are written. */
inline write(me, p, k)
{
    d_step {
        do
        :: ghost < k -> slot[INDEX(p + ghost)] = me * 8 + sent[me] + ghost; ghost++
        :: else -> break
        od;
        ghost = 0
    }
}

/* What was claimed and not written becomes padding. */
inline pad_rest(p, k, n)
{
    if
    :: k > 0 && k < n -> states[INDEX(p + k)] = WORD(PADDING, 0, n - k, p + k)
    :: else
    fi
}

inline publish(me, p, k, n)
{
    d_step {
        if
        :: k > 0 -> states[INDEX(p)] = WORD(PUBLISHED, 0, k, p)
        :: else -> states[INDEX(p)] = WORD(PADDING, 0, n, p)
        fi;
        sent[me] = sent[me] + k;
        give(me, p, n)
    }
}

inline commit(me, p, k, n)
{
#ifdef PUBLISH_BEFORE_WRITE
    pad_rest(p, k, n);
    publish(me, p, k, n);
    write(me, p, k)
#else
    write(me, p, k);
#ifdef PADDING_LAST
    publish(me, p, k, n);
    pad_rest(p, k, n)
#else
    pad_rest(p, k, n);
    publish(me, p, k, n)
#endif
#endif
}

/* Claims of the dead become padding; at join (`mine`), those that a predecessor under the own seat left. */
inline recover_claims(me, mine, q, w)
{
    q = released;
    do
    :: atomic {
            w = states[INDEX(q)];
            if
            :: LATER(w, q) -> w = AGAIN
            :: IS(w, q, CLAIMED) && (SEAT(w) == me) == mine
            :: TELLS(w, q) && !(IS(w, q, CLAIMED) && (SEAT(w) == me) == mine) -> q = q + COUNT(w); w = 0
            :: !TELLS(w, q) && !LATER(w, q) -> break
            fi
        };
        if
        :: w == 0
        :: w == AGAIN -> atomic { q = released; w = 0 }
        :: w > 0 ->
            atomic {
                if
                :: mine
                :: !mine && !lives[SEAT(w)] && seizer[SEAT(w)] == 0 -> seizer[SEAT(w)] = me
                :: !mine && (lives[SEAT(w)] || seizer[SEAT(w)] != 0) ->
#ifndef DEAD_BY_GUESS
                    q = q + COUNT(w);
                    w = 0
#endif
                fi
            };
            if
            :: w == 0
            :: else ->
#ifndef NO_HELP
                CAS(published, q, q + COUNT(w));
#endif
                CAS(states[INDEX(q)], w, WORD(PADDING, 0, COUNT(w), q));
                d_step {
                    if
                    :: !mine && seizer[SEAT(w)] == me -> seizer[SEAT(w)] = 0
                    :: else
                    fi;
                    q = q + COUNT(w);
                    w = 0
                }
            fi
        fi
    od;
    atomic { q = 0; w = 0 }
}

/* Ends whom it likes, when it likes. */
inline may_die(seat)
{
    d_step { (DEADLY & BIT(seat)) != 0 && deaths < DEATHS && lives[seat] && !over[seat] -> die(seat) }
}
