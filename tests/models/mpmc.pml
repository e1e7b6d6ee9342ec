/* SPDX-License-Identifier: Apache-2.0 */
/* Several producers, or with SINGLE one that defers, and two consumers.  MERGE: consumers
 * take two runs where they can, and make one of them. SCANS: how often each consumer looks for the dead without a reason. */
#include "states.pml"
#ifndef SCANS
#define SCANS 0
#endif
#define all_gone (over[3] && over[4])

byte done[SEATS]; /* ghost: a bit for each message of a producer that a consumer is done with */

/* `released` goes on over what was given back, as far as that goes: by who gives back, and by who finds somebody dead. */
inline walk(q, w)
{
    do
    :: q = released;
        atomic {
            w = states[INDEX(q)];
            if
            :: IS(w, q, RELEASED)
            :: LATER(w, q) -> w = AGAIN
            :: else -> w = 0; break
            fi
        };
        if
        :: w == AGAIN
        :: else ->
#ifndef LEAVE_TAKEN
            CAS(taken, q, q + COUNT(w)); /* or it is lapped, and nobody finds a word there */
#endif
            CAS(released, q, q + COUNT(w));
#ifndef SINGLE /* where `published` is stored after the run is shown */
            assert(released <= published) /* or who joins now takes the ring for a broken one */
#endif
        fi;
        atomic { q = 0; w = 0 }
    od;
    q = 0
}

proctype producer(byte me)
{
    byte p, r, n, k, want, runs, seen;
    short s;
    bool came_back;
    do
    :: {
            if
            :: came_back ->
                recover_claims(me, true, p, s)
            :: else
            fi;
            do
            :: atomic { runs < RUNS -> runs++; if :: want = 1 :: BATCH > 1 -> want = BATCH fi };
                do
                :: claim(me, want, p, s, r, n);
                    if
                    :: n > 0 -> break
                    :: else -> /* full, until one of these words changes */
                        if
                        :: atomic { published != p || released != r -> p = 0; r = 0 }
                        :: atomic { deaths != seen -> seen = deaths; p = 0; r = 0 };
                            recover_claims(me, false, p, s);
                            walk(k, s);
                            atomic { s = 0; k = 0 }
                        :: all_gone -> goto finished /* PEER_DIED */
                        fi
                    fi
                od;
                atomic { want = 0; if :: k = n :: k = n - 1 fi };
                commit(me, p, k, n);
                atomic { p = 0; n = 0; k = 0 }
            :: runs == RUNS -> goto finished
            od
        } unless { !lives[me] };
        atomic { p = 0; r = 0; n = 0; k = 0; want = 0; s = 0; seen = 0 };
        if
        :: atomic { restarts > 0 && seizer[me] == 0 -> restarts--; lives[me] = true; came_back = true }
        :: goto finished
        fi
    od;
finished:
    atomic { p = 0; r = 0; n = 0; k = 0; want = 0; s = 0; seen = 0; came_back = false; over[me] = true }
}

/* One producer: nothing is claimed in shared memory, and a flush shows a run. */
proctype single_producer(byte me)
{
    byte p, r, n, k, want, runs, i, seen;
    short s;
    do
    :: {
#ifndef NO_HELP
            /* Who died in the middle of a flush has shown its run, and not moved on. */
            p = published;
            atomic {
                s = states[INDEX(p)];
                if
                :: TELLS(s, p) -> n = COUNT(s)
                :: else
                fi;
                s = 0
            };
            atomic { published = p + n; n = 0 };
#endif
            do
            :: atomic { runs < RUNS -> runs++; if :: want = 1 :: BATCH > 1 -> want = BATCH fi };
                p = published;
                do
                :: atomic {
                        r = released;
                        n = MIN(want, SLOTS - (p - r));
                        n = MIN(n, SLOTS - INDEX(p));
                        if
                        :: n > 0 -> r = 0; break
                        :: else
                        fi
                    };
                    if
                    :: released != r
                    :: atomic { deaths != seen -> seen = deaths };
                        walk(i, s);
                        atomic { s = 0; i = 0 }
                    :: all_gone -> goto finished
                    fi
                od;
                atomic { use(me, p, n); k = n; want = 0 };
                write(me, p, k);
#ifdef PUBLISHED_FIRST
                published = p + n;
                publish(me, p, k, n);
#else
                publish(me, p, k, n);
                published = p + n;
#endif
                atomic { p = 0; n = 0; k = 0 }
            :: runs == RUNS -> goto finished
            od
        } unless { !lives[me] };
        atomic { p = 0; r = 0; n = 0; k = 0; want = 0; s = 0; i = 0; seen = 0 };
        if
        :: atomic { restarts > 0 && seizer[me] == 0 -> restarts--; lives[me] = true }
        :: goto finished
        fi
    od;
finished:
    atomic { p = 0; r = 0; n = 0; k = 0; want = 0; s = 0; i = 0; seen = 0; over[me] = true }
}

/* The run at h was taken: its messages come in the order of their producers, and nobody else has them. */
inline taken_run(h, s)
{
    use(me, h, COUNT(s));
    do
    :: ghost < COUNT(s) -> deliver(slot[INDEX(h + ghost)]); ghost++
    :: else -> break
    od;
    ghost = 0
}

/* The whole run is given back, then `released` goes on. */
inline release(h, n)
{
    d_step {
        do
        :: ghost < n ->
            done[slot[INDEX(h + ghost)] / 8] = done[slot[INDEX(h + ghost)] / 8] | (1 << (slot[INDEX(h + ghost)] % 8));
            ghost++
        :: else -> break
        od;
        ghost = 0;
        states[INDEX(h)] = WORD(RELEASED, 0, n, h);
        give(me, h, n)
    };
    if
    :: released == h -> walk(q, w)
    :: else
    fi
}

/* What a dead consumer had taken is taken over and delivered again. Nothing is read before the seat is seized: the words that a
 * living one changes may change the way from run to run. */
inline recover_taken(dead)
{
    if
#ifdef LOOK_BEFORE_SEIZE
    :: true ->
#else
    :: d_step { dead == me || !lives[dead] && seizer[dead] == 0 -> seizer[dead] = (dead == me -> 0 : me) };
#endif
        q = released;
        do
        :: atomic {
                w = states[INDEX(q)];
                if
                :: LATER(w, q) -> w = AGAIN
                :: IS(w, q, TAKEN) && SEAT(w) == dead
                :: TELLS(w, q) && !(IS(w, q, TAKEN) && SEAT(w) == dead) -> q = q + COUNT(w); w = 0
                :: !TELLS(w, q) && !LATER(w, q) -> break
                fi
            };
            if
            :: w == 0
            :: w == AGAIN -> atomic { q = released; w = 0 }
            :: w > 0 ->
#ifdef LOOK_BEFORE_SEIZE
                if
                :: d_step { dead == me || !lives[dead] && seizer[dead] == 0 -> seizer[dead] = (dead == me -> 0 : me) }
                :: dead != me && (lives[dead] || seizer[dead] != 0) -> atomic { q = q + COUNT(w); w = 0 }
                fi;
#endif
                if
                :: w == 0
                :: else ->
                    d_step {
                        if
                        :: states[INDEX(q)] == w ->
                            states[INDEX(q)] = WORD(TAKEN, me, COUNT(w), q);
                            h = q;
                            n = COUNT(w);
                            use(me, h, n)
                        :: else
                        fi;
                        q = 0;
                        w = 0
                    };
#ifdef LOOK_BEFORE_SEIZE
                    d_step {
                        if
                        :: seizer[dead] == me -> seizer[dead] = 0
                        :: else
                        fi
                    };
#endif
                    if
                    :: n > 0 ->
                        release(h, n);
                        atomic { h = 0; n = 0 }
                    :: else
                    fi;
                    q = released
                fi
            fi
        od;
        atomic {
            if
            :: seizer[dead] == me -> seizer[dead] = 0
            :: else
            fi
        }
    :: dead != me && (lives[dead] || seizer[dead] != 0)
    fi;
    atomic { q = 0; w = 0 }
}

proctype consumer(byte me)
{
    byte h, n, q, seen, scans, other;
    short s, w;
    bool came_back;
    other = (me == 3 -> 4 : 3);
    do
    :: {
            if
            :: came_back ->
#ifndef NO_CLEARING
                recover_taken(me)
#else
                skip
#endif
            :: else
            fi;
            do
            :: h = taken;
                atomic {
                    s = states[INDEX(h)];
                    if
                    :: IS(s, h, PUBLISHED) -> goto take
                    :: IS(s, h, PADDING) -> goto skip_padding
                    :: IS(s, h, TAKEN) || IS(s, h, RELEASED) -> goto help
                    :: LATER(s, h) -> goto onward /* the position is old: this is not `empty` */
                    :: else -> goto nothing
                    fi
                };
            take:
                atomic {
                    if
#ifdef TAKE_BY_STORE
                    :: true ->
#else
                    :: states[INDEX(h)] == s ->
#endif
                        d_step {
                            states[INDEX(h)] = WORD(TAKEN, me, COUNT(s), h);
                            taken_run(h, s);
                            n = COUNT(s)
                        }
                    :: else -> goto onward
                    fi
                };
                CAS(taken, h, h + n);
#ifdef MERGE
                if
                :: true -> goto given
                :: true
                fi;
                atomic {
                    s = states[INDEX(h + n)];
                    if
                    :: IS(s, h + n, PUBLISHED) && taken == h + n
                    :: else -> goto given
                    fi
                };
                atomic {
                    if
                    :: states[INDEX(h + n)] == s ->
                        d_step {
                            states[INDEX(h + n)] = WORD(TAKEN, me, COUNT(s), h + n);
                            taken_run(h + n, s)
                        }
                    :: else -> goto given
                    fi
                };
                CAS(taken, h + n, h + n + COUNT(s));
                atomic { n = n + COUNT(s); states[INDEX(h)] = WORD(TAKEN, me, n, h) };
            given:
#endif
            progress:
                s = 0;
                release(h, n);
                goto onward;
            skip_padding:
                atomic {
                    if
                    :: states[INDEX(h)] == s -> states[INDEX(h)] = WORD(RELEASED, 0, COUNT(s), h)
                    :: else -> goto onward
                    fi
                };
                CAS(taken, h, h + COUNT(s));
                s = 0;
                if
                :: released == h -> h = 0; walk(q, w)
                :: else
                fi;
                goto onward;
            help:
                skip;
                CAS(taken, h, h + COUNT(s));
                goto onward;
            nothing:
                if
                :: atomic { states[INDEX(h)] != s || taken != h -> s = 0; h = 0 }
                :: atomic { deaths != seen -> seen = deaths; s = 0; h = 0 };
                    recover_claims(me, false, q, w);
                    recover_taken(other);
                    walk(q, w)
#if SCANS > 0
                :: atomic { scans < SCANS -> scans++; s = 0; h = 0 };
                    recover_taken(other)
#endif
                :: all_delivered && done[1] == (1 << sent[1]) - 1 && done[2] == (1 << sent[2]) - 1 -> goto finished
                fi;
            onward:
                atomic { h = 0; n = 0; s = 0 }
            od
        } unless { !lives[me] };
        atomic { h = 0; n = 0; s = 0; q = 0; w = 0; seen = 0 };
        if
        :: atomic { restarts > 0 && seizer[me] == 0 -> restarts--; lives[me] = true; came_back = true }
        :: goto finished
        fi
    od;
finished:
    atomic { h = 0; n = 0; s = 0; seen = 0; scans = 0; came_back = false; over[me] = true };
#if DEATHS == 0
    /* All room is back, though who gave it may have been overtaken. */
    over[1] && over[2] && over[3] && over[4];
    assert(released == taken)
#endif
}

#if DEATHS > 0
active proctype killer()
{
    do
    :: may_die(1)
    :: may_die(2)
    :: may_die(3)
    :: may_die(4)
    :: break
    od
}
#endif

init
{
    atomic {
        lives[1] = true;
        lives[2] = true;
        lives[3] = true;
        lives[4] = true;
#ifdef SINGLE
        over[2] = true;
        run single_producer(1);
#elif PRODUCERS == 1
        over[2] = true;
        run producer(1);
#else
        run producer(1);
        run producer(2);
#endif
        run consumer(3);
        run consumer(4)
    }
}
