/* SPDX-License-Identifier: Apache-2.0 */
/* Several producers, one consumer.  */
#include "states.pml"
#define CONSUMER 3

proctype producer(byte me)
{
    byte p, r, n, k, want, runs, seen;
    short s;
    bool came_back;
    do
    :: {
            if
            :: came_back ->
#ifndef NO_CLEARING
                recover_claims(me, true, p, s)
#else
                skip
#endif
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
                        :: atomic { published != p || released != r || states[INDEX(p)] != s -> p = 0; r = 0; s = 0 }
                        :: atomic { deaths != seen -> seen = deaths; p = 0; r = 0; s = 0 };
                            recover_claims(me, false, p, s)
                        :: over[CONSUMER] -> goto done /* PEER_DIED */
                        fi
                    fi
                od;
                atomic { want = 0; if :: k = n :: k = n - 1 fi };
                commit(me, p, k, n);
                atomic { p = 0; n = 0; k = 0 }
            :: runs == RUNS -> goto done
            od
        } unless { !lives[me] };
        atomic { p = 0; r = 0; n = 0; k = 0; want = 0; s = 0; seen = 0 };
        if
        :: atomic { restarts > 0 && seizer[me] == 0 -> restarts--; lives[me] = true; came_back = true }
        :: goto done
        fi
    od;
done:
    atomic { p = 0; r = 0; n = 0; k = 0; want = 0; s = 0; seen = 0; came_back = false; over[me] = true }
}

/* What was given back is shown; only whole runs, since who comes after finds no state word inside one. */
inline settle()
{
    d_step {
        if
        :: shown != position ->
            assert(position <= published); /* or who joins now takes the ring for a broken one */
            released = position; give(CONSUMER, shown, position - shown); shown = position
        :: else
        fi
    }
}

/* Reads the run at `position`, message by message. */
inline read_run(s)
{
    d_step {
        do
        :: i < COUNT(s) -> deliver(slot[INDEX(position + i)]); i++
        :: else -> break
        od;
        i = 0
    }
}

proctype consumer()
{
    byte position, shown, i, seen, q;
    short s, w;
    do
    :: {
            atomic { position = released; shown = position };
            do
            :: atomic {
                    s = states[INDEX(position)];
                    assert(!LATER(s, position));
                    if
                    :: IS(s, position, PUBLISHED) -> use(CONSUMER, position, COUNT(s))
                    :: IS(s, position, PADDING) -> position = position + COUNT(s); s = 0; goto onward
                    :: else -> goto nothing
                    fi
                };
            progress:
                skip;
                read_run(s);
#ifdef SETTLE_INSIDE
                if
                :: d_step { COUNT(s) > 1 -> released = position + 1; give(CONSUMER, position, 1) }
                :: true
                fi;
#endif
                atomic {
                    position = position + COUNT(s);
                    s = 0;
                    if
                    :: goto onward /* shown later */
                    :: true
                    fi
                };
                settle();
                goto onward;
            nothing:
                settle();
                if
                :: atomic { states[INDEX(position)] != s -> s = 0 }
                :: atomic { deaths != seen -> seen = deaths; s = 0 };
                    recover_claims(CONSUMER, false, q, w)
                :: all_delivered -> goto done
                fi;
            onward:
                skip
            od
        } unless { !lives[CONSUMER] };
        atomic { position = 0; shown = 0; i = 0; s = 0; seen = 0; q = 0; w = 0 };
        if
        :: atomic { restarts > 0 && seizer[CONSUMER] == 0 -> restarts--; lives[CONSUMER] = true }
        :: goto done
        fi
    od;
done:
    atomic { position = 0; shown = 0; s = 0; seen = 0; over[CONSUMER] = true }
}

#if DEATHS > 0
active proctype killer()
{
    do
    :: may_die(1)
    :: may_die(2)
    :: may_die(3)
    :: break
    od
}
#endif

init
{
    atomic {
        lives[1] = true;
        lives[2] = true;
        lives[CONSUMER] = true;
        run producer(1);
        run producer(2);
        run consumer()
    }
}
