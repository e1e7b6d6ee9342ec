/* SPDX-License-Identifier: Apache-2.0 */
/* Sleeping and waking, on processors that keep stores back (TSO): every process has a buffer of stores, which memory takes in order
 * and when it likes; a load sees the own buffer first; a fence, a system call and an atomic exchange wait until it is empty.
 *
 * Three scenes:
 *   MESSAGES   PRODUCERS show messages, CONSUMERS sleep for them. One consumer has a plain flag; of SEVERAL sleepers each sets the
 *              lowest bit of a word whose rest counts the wakes. BUSY of the consumers may stop taking for good.
 *   ROOM       two consumers give back what they have taken, two producers sleep for room
 *   BOTH       one producer and one consumer hold back what they have to show, and both sleep
 * Nobody wakes by itself, so that a lost wake is a process that stays asleep beside what it waits for; SLICES lets each do so that
 * often, DEATHS lets producers die between any two steps.
 */
#ifndef PRODUCERS
#define PRODUCERS 1
#endif
#ifndef CONSUMERS
#define CONSUMERS 1
#endif
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef BUSY
#define BUSY 0
#endif
#ifndef SLICES
#define SLICES 0
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#define MOST 4 /* processes */

/* Words: 0 to 3 are messages or runs, each stored once. */
#define FLAG 4      /* somebody sleeps for messages */
#define ROOM_FLAG 5 /* for room */
#define PUBLISHED 6
#define RELEASED 7
#define WORDS 8

byte memory[WORDS];
chan buffer[MOST] = [2] of { byte, byte };
bool asleep[MOST]; /* in the kernel */
byte sleeps_on[MOST];
bool dead[MOST];
byte deaths;

#define STORE(word, value) buffer[me] ! word, value
#define SET(word) (memory[word] == 1 || buffer[me] ?? [eval(word), 1])
#define FENCE empty(buffer[me])

/* What the dead have claimed becomes padding: the rings' models show how. */
inline recover()
{
    d_step {
        w = 0;
        do
        :: w < MESSAGES ->
            memory[w] = (dead[w % PRODUCERS] -> 1 : memory[w]);
            w++
        :: else -> break
        od;
        w = 0
    }
}

/* FUTEX_WAIT: sleeps only while the word is as expected. */
inline futex_wait(word, expected, slices)
{
    atomic {
        FENCE;
#ifndef NO_VALUE_CHECK
        if
        :: memory[word] == expected ->
#endif
            asleep[me] = true;
            sleeps_on[me] = word
#ifndef NO_VALUE_CHECK
        :: else
        fi
#endif
    };
    if
    :: !asleep[me]
#if SLICES > 0
    :: atomic { slices < SLICES && timeout -> slices++; asleep[me] = false; recover() }
#endif
    fi
}

inline futex_wake(word)
{
#ifdef WAKE_ONE
    atomic {
        if
        :: asleep[0] && sleeps_on[0] == word -> asleep[0] = false
        :: asleep[1] && sleeps_on[1] == word -> asleep[1] = false
        :: asleep[2] && sleeps_on[2] == word -> asleep[2] = false
        :: asleep[3] && sleeps_on[3] == word -> asleep[3] = false
        :: else
        fi
    }
#else
    d_step {
        i = 0;
        do
        :: i < MOST ->
            if
            :: sleeps_on[i] == word -> asleep[i] = false
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 0
    }
#endif
}

#ifdef NO_FENCE_WAKER
#define WAKER_FENCE skip
#else
#define WAKER_FENCE FENCE
#endif
#ifdef NO_FENCE_SLEEPER
#define SLEEPER_FENCE skip
#else
#define SLEEPER_FENCE FENCE
#endif

/* After something was shown: is somebody asleep? */
inline wake(word)
{
    WAKER_FENCE;
    w = memory[word];
    if
    :: (w & 1) == 0
    :: else ->
        atomic {
            FENCE;
#ifdef SEVERAL
            if
            :: memory[word] == w ->
#ifdef FLAG_ONLY
                memory[word] = 0
#else
                memory[word] = (w + 2) & 254
#endif
            :: else -> w = 0
            fi
#else
            w = memory[word];
            memory[word] = 0
#endif
        };
        if
        :: (w & 1) != 0 -> futex_wake(word)
        :: else
        fi
    fi;
    w = 0
}

inline sleep_begin(word)
{
#ifdef SEVERAL
    atomic {
        FENCE;
        memory[word] = memory[word] | 1;
        w = memory[word]
    };
#else
    STORE(word, 1);
    w = 1;
#endif
    SLEEPER_FENCE
}

inline sleep_end(word)
{
#if !defined(SEVERAL) || defined(END_CLEARS)
    STORE(word, 0);
#endif
    w = 0
}

#ifdef SCENE_MESSAGES
byte head; /* the next message to take */
byte busy;

/* Producer `me` shows messages me, me + PRODUCERS... */
proctype producer(byte me)
{
    byte m, w, i;
    {
        m = me;
        do
        :: m < MESSAGES ->
            STORE(m, 1);
            wake(FLAG);
            m = m + PRODUCERS
        :: m >= MESSAGES -> break
        od
    } unless { dead[me] };
    atomic { m = 0; w = 0 }
}

proctype consumer(byte me)
{
    byte h, w, slices;
    do
    :: atomic { h = head; if :: h == MESSAGES -> break :: else fi };
        if
        :: memory[h] == 1 ->
            atomic {
                FENCE;
                if
                :: head == h -> head++
                :: else
                fi
            };
#if BUSY > 0
            if
            :: atomic { busy < BUSY -> busy++; goto end_busy }
            :: true
            fi
#endif
        :: memory[h] == 0 ->
            sleep_begin(FLAG);
#ifndef NO_LAST_LOOK
            h = head;
            if
            :: h == MESSAGES || memory[h] == 1
            :: else -> futex_wait(FLAG, w, slices)
            fi;
#else
            futex_wait(FLAG, w, slices);
#endif
            sleep_end(FLAG)
        fi
    od;
    goto finished;
end_busy:
    false;
finished:
    skip
}

init
{
    atomic {
        run producer(0);
#if PRODUCERS > 1
        run producer(1);
#endif
        run consumer(2);
#if CONSUMERS > 1
        run consumer(3)
#endif
    }
}
#endif

#ifdef SCENE_ROOM
/* Runs 0 and 1 fill the ring; consumer i has taken run i. */
byte released, claimed;

inline walk()
{
    do
    :: r = released;
        if
        :: r < 2 && SET(r) ->
            atomic {
                FENCE;
                if
                :: released == r -> released++; moved = true
                :: else
                fi
            }
        :: else -> break
        fi
    od
}

proctype consumer(byte me)
{
    byte r, w, i;
    bool moved;
    STORE(me - 2, 1);
    WAKER_FENCE;
    walk();
#ifdef WAKE_IF_MOVED
    if
    :: moved -> wake(ROOM_FLAG)
    :: else
    fi
#else
    wake(ROOM_FLAG)
#endif
}

inline claim()
{
    atomic {
        FENCE;
        if
        :: claimed < released -> claimed++; mine = true
        :: else
        fi
    }
}

proctype producer(byte me)
{
    byte r, w, slices;
    bool moved, mine;
    do
    :: walk();
        claim();
        if
        :: mine -> break
        :: else
        fi;
        sleep_begin(ROOM_FLAG);
#ifndef LOOK_WITHOUT_WALK
        walk();
#endif
        if
        :: claimed < released
        :: else -> futex_wait(ROOM_FLAG, w, slices)
        fi;
        sleep_end(ROOM_FLAG)
    od
}

init
{
    atomic {
        run producer(0);
        run producer(1);
        run consumer(2);
        run consumer(3)
    }
}
#endif

#ifdef SCENE_BOTH
/* Two slots. Producer 0 and consumer 2 show their positions now or later; whoever is about to sleep shows first. */
#define SLOTS 2

proctype producer(byte me)
{
    byte position, shown, w, i, slices;
    do
    :: position == MESSAGES -> break
    :: position < MESSAGES && position - memory[RELEASED] < SLOTS ->
        position++;
        if
        :: shown = position; STORE(PUBLISHED, position); wake(FLAG)
        :: true /* later */
        fi
    :: position < MESSAGES && position - memory[RELEASED] == SLOTS ->
#ifndef NO_FLUSH
        shown = position;
        STORE(PUBLISHED, position);
#endif
        sleep_begin(ROOM_FLAG);
        if
        :: position - memory[RELEASED] < SLOTS
        :: else ->
#ifndef NO_WAKE_BEFORE_SLEEP
            wake(FLAG);
            w = 1;
#endif
            futex_wait(ROOM_FLAG, w, slices)
        fi;
        sleep_end(ROOM_FLAG)
    od;
    shown = position;
    STORE(PUBLISHED, position);
    wake(FLAG)
}

proctype consumer(byte me)
{
    byte position, shown, w, i, slices;
    do
    :: position == MESSAGES -> break
    :: position < MESSAGES && memory[PUBLISHED] > position ->
progress:
        position++;
        if
        :: shown = position; STORE(RELEASED, position); wake(ROOM_FLAG)
        :: true /* later */
        fi
    :: position < MESSAGES && memory[PUBLISHED] <= position ->
#ifndef NO_FLUSH
        shown = position;
        STORE(RELEASED, position);
#endif
        sleep_begin(FLAG);
        if
        :: memory[PUBLISHED] > position
        :: else ->
#ifndef NO_WAKE_BEFORE_SLEEP
            wake(ROOM_FLAG);
            w = 1;
#endif
            futex_wait(FLAG, w, slices)
        fi;
        sleep_end(FLAG)
    od
}

init
{
    atomic {
        run producer(0);
        run consumer(2)
    }
}
#endif

/* Takes the stores of all, each process's in order. */
active proctype drain()
{
    byte word, value;
end:
    do
    :: atomic { buffer[0] ? word, value -> memory[word] = value; word = 0; value = 0 }
    :: atomic { buffer[1] ? word, value -> memory[word] = value; word = 0; value = 0 }
    :: atomic { buffer[2] ? word, value -> memory[word] = value; word = 0; value = 0 }
    :: atomic { buffer[3] ? word, value -> memory[word] = value; word = 0; value = 0 }
    od
}

#if DEATHS > 0
active proctype killer()
{
    do
    :: d_step { deaths < DEATHS && !dead[0] -> dead[0] = true; deaths++ }
#if PRODUCERS > 1
    :: d_step { deaths < DEATHS && !dead[1] -> dead[1] = true; deaths++ }
#endif
    :: break
    od
}
#endif
