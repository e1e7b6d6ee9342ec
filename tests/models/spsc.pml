/* SPDX-License-Identifier: Apache-2.0 */
/* One producer, one consumer, for ever: positions are counted modulo TURN, so that they wrap around and never end. Both hold back
 * what they have to show, both keep the other's position and look again only when that is used up. Either may die at any step, and
 * comes again where the dead one had shown to be. BATCH: most slots at once; DEATHS: how many die.
 */
#ifndef SLOTS
#define SLOTS 4
#endif
#ifndef BATCH
#define BATCH 2
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#define TURN (2 * SLOTS)
#define INDEX(p) ((p) % SLOTS)
#define PLUS(p, n) (((p) + (n)) % TURN)
#define MINUS(a, b) (((a) + TURN - (b)) % TURN)
#define MIN(a, b) ((a) < (b) -> (a) : (b))

#define PRODUCER 1
#define CONSUMER 2

byte published, released;
byte slot[SLOTS]; /* the message's position + 1; 0: being written */

/* Ghosts. */
byte user[SLOTS]; /* who writes a slot or reads it */
byte index;
bool dead[3];
byte deaths;

inline use(who, p, n)
{
    d_step {
        index = 0;
        do
        :: index < n ->
            assert(user[INDEX(p + index)] == 0);
            user[INDEX(p + index)] = who;
            index++
        :: else -> break
        od;
        index = 0
    }
}

inline give(who, p, n)
{
    index = 0;
    do
    :: index < n ->
        assert(user[INDEX(p + index)] == who);
        user[INDEX(p + index)] = 0;
        index++
    :: else -> break
    od;
    index = 0
}

inline flush()
{
    d_step {
        published = position;
        give(PRODUCER, shown, MINUS(position, shown));
        shown = position
    }
}

active proctype producer()
{
    byte position, shown, other, n, i;
    do
    :: {
            position = published;
            shown = position;
            other = released;
            do
            :: atomic {
                    if
                    :: n = 1
                    :: BATCH > 1 -> n = BATCH
                    fi;
                    if
                    :: SLOTS - MINUS(position, other) < n -> goto look
                    :: else -> goto claimed
                    fi
                };
            look:
                atomic {
#ifdef NO_LOOK
                    other = position;
#else
                    assert(MINUS(released, other) <= MINUS(shown, other)); /* or it is taken for a liar */
                    other = released;
#endif
                    if
                    :: MINUS(position, other) == SLOTS ->
#ifndef NO_FLUSH
                        goto no_room
#else
                        released != other; goto again
#endif
                    :: else -> goto claimed
                    fi
                };
            no_room:
                skip;
                flush();
                released != other;
                goto again;
            claimed:
                atomic {
                    n = MIN(n, SLOTS - MINUS(position, other));
                    n = MIN(n, SLOTS - INDEX(position));
                    use(PRODUCER, position, n);
                    i = 0
                };
#ifdef PUBLISH_BEFORE_WRITE
                published = PLUS(position, n);
#endif
                do
                :: i < n -> slot[INDEX(position + i)] = 0; slot[INDEX(position + i)] = PLUS(position, i) + 1; i++
                :: i == n -> break
                od;
                atomic { position = PLUS(position, n); i = 0 };
                if
                :: true -> flush()
                :: MINUS(position, shown) < SLOTS
                fi;
            again:
                n = 0
            od
        } unless { dead[PRODUCER] };
        d_step { position = 0; shown = 0; other = 0; n = 0; i = 0; dead[PRODUCER] = false }
    od
}

inline settle()
{
    d_step {
        released = position;
        give(CONSUMER, shown, MINUS(position, shown));
        shown = position
    }
}

active proctype consumer()
{
    byte position, shown, other, n, i;
    do
    :: {
            position = released;
            shown = position;
            other = published;
            do
            :: atomic {
                    if
                    :: n = 1
                    :: BATCH > 1 -> n = BATCH
                    fi;
                    if
                    :: MINUS(other, position) < n -> goto look
                    :: else -> goto peeked
                    fi
                };
            look:
                atomic {
#ifndef NO_LIMIT
                    assert(MINUS(published, other) <= MINUS(PLUS(shown, SLOTS), other)); /* or it is taken for a liar */
#endif
                    other = published;
                    if
                    :: other == position -> goto nothing
                    :: else -> goto peeked
                    fi
                };
            nothing:
                skip;
#ifndef NO_FLUSH
                settle();
#endif
                published != other;
                goto again;
            peeked:
                atomic {
                    n = MIN(n, MINUS(other, position));
                    n = MIN(n, SLOTS - INDEX(position));
                    use(CONSUMER, position, n);
                    i = 0
                };
#ifdef SETTLE_BEFORE_READ
                released = PLUS(position, n);
#endif
            progress:
                do
                :: i < n -> assert(slot[INDEX(position + i)] == PLUS(position, i) + 1); i++
                :: i == n -> break
                od;
                atomic { position = PLUS(position, n); i = 0 };
                if
                :: true -> settle()
                :: true
                fi;
            again:
                n = 0
            od
        } unless { dead[CONSUMER] };
        d_step { position = 0; shown = 0; other = 0; n = 0; i = 0; dead[CONSUMER] = false }
    od
}

inline die(who)
{
    d_step {
        deaths < DEATHS;
        deaths++;
        dead[who] = true;
        index = 0;
        do
        :: index < SLOTS -> user[index] = (user[index] == who -> 0 : user[index]); index++
        :: else -> break
        od;
        index = 0
    }
}

#if DEATHS > 0
active proctype killer()
{
    do
    :: die(PRODUCER)
    :: die(CONSUMER)
    :: break
    od
}
#endif
