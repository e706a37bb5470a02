/* Befunge-93 as one writes it in an afternoon: a switch. For experiments/bench_esolang.py. No `?`. */
#include <stdint.h>
#include <string.h>

enum { WIDTH = 80, HEIGHT = 25 };

static int is_inside(int64_t x, int64_t y) { return x >= 0 && x < WIDTH && y >= 0 && y < HEIGHT; }

static int64_t read_integer(const uint8_t *data, int num_data, int *num_read) {
    int64_t value = 0, sign = 1, num_digits = 0;
    while (*num_read < num_data && (data[*num_read] == ' ' || data[*num_read] == '\n')) ++*num_read;
    if (*num_read < num_data && data[*num_read] == '-') sign = -1, ++*num_read;
    while (*num_read < num_data && data[*num_read] >= '0' && data[*num_read] <= '9') {
        value = 10 * value + data[(*num_read)++] - '0';
        num_digits++;
    }
    return num_digits ? sign * value : -1;
}

static int write_integer(int64_t value, uint8_t *output) {
    uint8_t digits[20];
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    int length = 0, num_digits = 0;
    if (value < 0) output[length++] = '-';
    do digits[num_digits++] = '0' + rest % 10; while (rest /= 10);
    while (num_digits) output[length++] = digits[--num_digits];
    output[length++] = ' ';
    return length;
}

/* Returns the cells visited; at most max_steps. Stops where a stack of `limit` values or the output is full. */
static long run_one(const int8_t *source, const uint8_t *data, int num_data, long max_steps, int64_t *stack, int limit,
                    uint8_t *output, int max_output) {
    int8_t cells[WIDTH * HEIGHT];
    int x = 0, y = 0, dx = 1, dy = 0, depth = 0, is_string = 0, num_read = 0, num_written = 0;
    int64_t a, b;
    memcpy(cells, source, sizeof cells);
#define POP (depth ? stack[--depth] : 0)
#define PUSH(value) do { int64_t pushed = (value); if (depth == limit) return steps; stack[depth++] = pushed; } while (0)
    for (long steps = 0; steps < max_steps; steps++) {
        int8_t cell = cells[WIDTH * y + x];
        if (is_string && cell != '"') PUSH(cell);
        else switch (cell) {
        case '0': case '1': case '2': case '3': case '4':
        case '5': case '6': case '7': case '8': case '9': PUSH(cell - '0'); break;
        case '>': dx = 1, dy = 0; break;
        case '<': dx = -1, dy = 0; break;
        case '^': dx = 0, dy = -1; break;
        case 'v': dx = 0, dy = 1; break;
        case '_': dx = POP ? -1 : 1, dy = 0; break;
        case '|': dx = 0, dy = POP ? -1 : 1; break;
        case '#': x += dx, y += dy; break;
        case '"': is_string = !is_string; break;
        case '+': a = POP; b = POP; PUSH((int64_t)((uint64_t)b + (uint64_t)a)); break;
        case '-': a = POP; b = POP; PUSH((int64_t)((uint64_t)b - (uint64_t)a)); break;
        case '*': a = POP; b = POP; PUSH((int64_t)((uint64_t)b * (uint64_t)a)); break;
        case '/': a = POP; b = POP; PUSH(a ? b / a : 0); break;
        case '%': a = POP; b = POP; PUSH(a ? b % a : 0); break;
        case '`': a = POP; b = POP; PUSH(b > a); break;
        case '!': a = POP; PUSH(!a); break;
        case ':': a = POP; PUSH(a); PUSH(a); break;
        case '\\': a = POP; b = POP; PUSH(a); PUSH(b); break;
        case '$': (void)POP; break;
        case '.':
            if (num_written + 21 > max_output) return steps;
            a = POP;
            num_written += write_integer(a, output + num_written);
            break;
        case ',':
            if (num_written == max_output) return steps;
            output[num_written++] = (uint8_t)POP;
            break;
        case 'g': a = POP; b = POP; PUSH(is_inside(b, a) ? cells[WIDTH * a + b] : 0); break;
        case 'p': {
            a = POP; b = POP;
            int8_t value = (int8_t)POP;
            if (is_inside(b, a)) cells[WIDTH * a + b] = value;
            break;
        }
        case '&': PUSH(read_integer(data, num_data, &num_read)); break;
        case '~': PUSH(num_read < num_data ? (int8_t)data[num_read++] : -1); break;
        case '@': return steps + 1;
        }
        x = (x + dx + WIDTH) % WIDTH;
        y = (y + dy + HEIGHT) % HEIGHT;
    }
    return max_steps;
}

/* Runs a batch, program i with input i; sources are 2000 cells each. Returns the sum of steps. */
long run_batch(int num, const int8_t *sources, const uint8_t *data, const int *num_data, int data_width, long max_steps,
               int limit, int max_output) {
    int64_t stack[4096];
    uint8_t output[65536];
    long steps = 0;
    for (int i = 0; i < num; i++)
        steps += run_one(sources + (long)i * WIDTH * HEIGHT, data + (long)i * data_width, num_data[i], max_steps, stack,
                         limit, output, max_output);
    return steps;
}
