/* Brainf**k as one writes it in an afternoon: a jump table and a switch. For experiments/bench_esolang.py. */
#include <stdint.h>
#include <string.h>

/* Returns the commands executed; at most max_steps. Code holds commands only, brackets are balanced. */
static long run_one(const char *code, int length, const uint8_t *data, int num_data, long max_steps,
                    uint8_t *tape, int cells, uint8_t *output, int max_output, int *jumps, int *stack) {
    int depth = 0, pointer = 0, num_read = 0, num_written = 0;
    long steps = 0;
    for (int i = 0; i < length; i++) {
        if (code[i] == '[') stack[depth++] = i;
        if (code[i] == ']') {
            jumps[i] = stack[--depth];
            jumps[jumps[i]] = i;
        }
    }
    memset(tape, 0, cells);
    for (int at = 0; at < length && steps < max_steps; at++, steps++) {
        switch (code[at]) {
        case '>': if (pointer == cells - 1) return steps; pointer++; break;
        case '<': if (pointer == 0) return steps; pointer--; break;
        case '+': tape[pointer]++; break;
        case '-': tape[pointer]--; break;
        case '.': if (num_written == max_output) return steps; output[num_written++] = tape[pointer]; break;
        case ',': tape[pointer] = num_read < num_data ? data[num_read++] : 0; break;
        case '[': if (!tape[pointer]) at = jumps[at]; break;
        case ']': if (tape[pointer]) at = jumps[at]; break;
        }
    }
    return steps;
}

/* Runs a batch, program i with input i; code and data are rows of fixed width. Returns the sum of steps. */
long run_batch(int num, const char *code, const int *lengths, int code_width, const uint8_t *data,
               const int *num_data, int data_width, long max_steps, int cells, int max_output) {
    uint8_t tape[65536], output[65536];
    int jumps[65536], stack[65536];
    long steps = 0;
    for (int i = 0; i < num; i++)
        steps += run_one(code + (long)i * code_width, lengths[i], data + (long)i * data_width, num_data[i],
                         max_steps, tape, cells, output, max_output, jumps, stack);
    return steps;
}
