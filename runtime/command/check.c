#include "command/command.h"
int psy__check(int argc, char **argv) { (void)argc; (void)argv; return 0; }
