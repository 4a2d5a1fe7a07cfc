/* From the photograph to the network's input: Pillow's resize (src/libImaging/Resample.c) to the last bit, which rounds
   to whole numbers after each direction, row by row, so that no copy of the photograph is held. */

#define BITS 22

typedef struct {
    int first, count, at; /* pixels that an output is made of, and where their weights begin */
} reach;

static double filter(double x) {
    x = fabs(x);
#if FILTER == 1
    return x < 1.0 ? 1.0 - x : 0.0;
#elif FILTER == 2 /* Keys' cubic with a = -1/2 */
    if (x < 1.0) return (1.5 * x - 2.5) * x * x + 1.0;
    return x < 2.0 ? ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0 : 0.0;
#else
    const double pi = 3.14159265358979323846;
    if (x >= 3.0) return 0.0;
    return x == 0.0 ? 1.0 : sin(x * pi) / (x * pi) * (sin(x * pi / 3.0) / (x * pi / 3.0));
#endif
}

/* Weights of every output along one side, whole numbers of 2^-22. */
static void prepare(int from, int to, reach *reaches, int32_t *weights) {
    const double scale = (double)from / to, spread = scale < 1.0 ? 1.0 : scale, support = FILTER * spread;
    int at = 0;
    for (int output = 0; output < to; output++) {
        const double centre = (output + 0.5) * scale;
        int first = (int)(centre - support + 0.5), last = (int)(centre + support + 0.5);
        first = centre - support + 0.5 < 0 ? 0 : first;
        last = last > from ? from : last;
        double total = 0.0;
        for (int i = first; i < last; i++) total += filter((i - centre + 0.5) / spread);
        for (int i = first; i < last; i++) {
            const double weight = filter((i - centre + 0.5) / spread) / total * (1 << BITS);
            weights[at + i - first] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
        }
        reaches[output].first = first;
        reaches[output].count = last - first;
        reaches[output].at = at;
        at += last - first;
    }
}

static inline int32_t byte_of(int32_t sum) {
    const int32_t value = sum >> BITS;
    return value < 0 ? 0 : value > 255 ? 255 : value;
}

static void look(const uint8_t *rgb, int height, int width, float *input) {
    static reach across[WIDTH], down[HEIGHT];
    static int32_t across_weights[WEIGHTS(WIDTH)], down_weights[WEIGHTS(HEIGHT)], sums[HEIGHT][3][WIDTH];
    int32_t row[3][WIDTH];
    prepare(width, WIDTH, across, across_weights);
    prepare(height, HEIGHT, down, down_weights);
    int open = 0;
    for (int y = 0; y < HEIGHT; y++)
        for (int i = 0; i < 3 * WIDTH; i++) (&sums[y][0][0])[i] = 1 << (BITS - 1);
    for (int y = 0; y < height; y++, rgb += (size_t)3 * width) {
        for (int x = 0; x < WIDTH; x++) {
            const uint8_t *pixel = rgb + (size_t)3 * across[x].first;
            const int32_t *weight = across_weights + across[x].at;
            int32_t red = 1 << (BITS - 1), green = red, blue = red;
            for (int i = 0; i < across[x].count; i++, pixel += 3) {
                red += weight[i] * pixel[0];
                green += weight[i] * pixel[1];
                blue += weight[i] * pixel[2];
            }
            row[0][x] = byte_of(red), row[1][x] = byte_of(green), row[2][x] = byte_of(blue);
        }
        while (open < HEIGHT && down[open].first + down[open].count <= y) open++;
        for (int to = open; to < HEIGHT && down[to].first <= y; to++) {
            if (y >= down[to].first + down[to].count) continue;
            const int32_t weight = down_weights[down[to].at + y - down[to].first];
            for (int i = 0; i < 3 * WIDTH; i++) (&sums[to][0][0])[i] += weight * (&row[0][0])[i];
        }
    }
    for (int channel = 0; channel < 3; channel++)
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++)
                *input++ = ((float)byte_of(sums[y][channel][x]) - mean[channel]) * inverse[channel];
}
