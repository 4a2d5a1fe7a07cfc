/* Judge photographs with an exported inspector in C; nothing but the C library is needed.
 *
 *   blemish export part.blemish --to c --out part.c
 *   cc -O3 -march=native inspect.c part.c -o inspect -lm
 *   ./inspect part.weights photograph.ppm ...
 *
 * For an inspector of another name compile with -DPART_H='"washer.h"' -DPART(name)=washer_##name.
 * Photographs are binary PPM here; a program of yours has its pixels from a camera.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef PART_H
#define PART_H "part.h"
#define PART(name) part_##name
#endif
#include PART_H

/* Pixels of a binary PPM, RGB row by row, to be freed; NULL after a sentence where it cannot be read. */
static uint8_t *read_ppm(const char *path, int *height, int *width) {
    int most = 0;
    uint8_t *pixels = NULL;
    FILE *file = fopen(path, "rb");
    if (!file || fscanf(file, "P6 %d %d %d", width, height, &most) != 3 || most != 255 || *width < 1 || *height < 1 ||
        (int64_t)*width * *height > 100000000) {
        fprintf(stderr, "%s is no binary PPM of 8 bits and at most 100 megapixels\n", path);
    } else {
        const size_t size = (size_t)*width * (size_t)*height * 3;
        fgetc(file); /* the one blank behind the head */
        pixels = malloc(size);
        if (pixels && fread(pixels, 1, size, file) != size) {
            fprintf(stderr, "%s is cut short\n", path);
            free(pixels);
            pixels = NULL;
        }
    }
    if (file) fclose(file);
    return pixels;
}

int main(int count, char **arguments) {
    static const char *words[] = {"pass", "review", "reject"};
    int rejected = 0;
    if (count < 3) {
        fprintf(stderr, "Usage: inspect NAME.weights PHOTOGRAPH.ppm ...\n");
        return 2;
    }
    if (PART(load)(arguments[1])) {
        fprintf(stderr, "%s cannot be read, or is of another inspector\n", arguments[1]);
        return 2;
    }
    for (int place = 2; place < count; place++) {
        int height, width;
        PART(result) result;
        uint8_t *pixels = read_ppm(arguments[place], &height, &width);
        if (!pixels) return 2;
        if (PART(inspect)(pixels, height, width, &result)) {
            fprintf(stderr, "%s is too large\n", arguments[place]);
            return 2;
        }
        free(pixels);
        rejected |= result.verdict == 2;
        printf("%s %s %g %g\n", arguments[place], words[result.verdict], result.score, result.p_value);
    }
    PART(close)();
    return rejected;
}
