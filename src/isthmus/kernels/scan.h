/* What scan.c and kmers.c share: settings in, rows out. Layouts are mirrored in scan.py. */
#ifndef ISTHMUS_SCAN_H
#define ISTHMUS_SCAN_H
#include <stdint.h>

/* Bytes of one vector register: a wider vector type is taken apart letter by letter by some compilers. */
#if defined(__AVX512BW__)
enum { BYTES = 64 };
#elif defined(__AVX2__)
enum { BYTES = 32 };
#else
enum { BYTES = 16 };
#endif
typedef uint8_t u8xn __attribute__((vector_size(BYTES)));
typedef uint16_t u16xn __attribute__((vector_size(BYTES)));

enum { FASTQ = 0, FASTA = 1 };
enum { NO_KMERS = 1, HALF_EMPTY = 2 };                      /* core/flags.py */
enum { MORE = 0, ROWS_FULL = 1, AT_STOP = 2, AT_END = 3, BAD = 4 };
enum { BAD_START = 1, CUT = 2, LENGTHS = 3, LETTER = 4, QUALITY = 5, PLUS_NAME = 6, NAME = 7, LONE_CR = 8, TOO_LONG = 9 };
enum { MAX_TABLE = 4096, MAX_CANONICAL = 2080, PADDED = 112, QUALITIES = 94 };
enum { FIRST = 0, SECOND = 1, WHOLE = 2, BORDER = 3 };     /* halves of a read, all of it, what is in neither half */

typedef struct {
    int64_t format;
    int64_t k;                 /* 0: no features */
    int64_t dim;               /* features per profile */
    int64_t n_canonical;
    const uint16_t *forward;   /* canonical k-mer j -> its place in the table of 4^k counts (codes A 0, C 1, T 2, G 3) */
    const uint16_t *reverse;   /* ... and that of its reverse complement; 4^k, an empty place, where both are one */
    const float *basis;        /* NULL, or (n_canonical, PADDED) */
    const double *error;       /* error probability of quality 0 .. 93 */
    int64_t min_length;
    double min_quality;
    double max_n_share;
} Setting;

typedef struct {
    int64_t start, end;        /* the record's bytes in the text, from its mark to the start of what follows */
    int64_t record;            /* number of the record in this call, dropped ones counted */
    uint64_t hash;             /* FNV-1a of the id */
    int32_t id_len, length, n_ambiguous, flags;
    float gc, quality;         /* quality is NaN where there is none */
} Row;

typedef struct {
    int64_t status, next, rows, records, id_bytes, bases_in, bases_out, dropped[3];
    int64_t error, error_start, error_line, error_byte, error_a, error_b;
} Outcome;

typedef struct {
    uint32_t counts[4][MAX_CANONICAL];
    uint64_t total[3];
} Profile;

uint64_t count_range(const uint8_t *s, int64_t lo, int64_t hi, int clean, const Setting *set, uint32_t *out);
void count_profile(const uint8_t *seq, int64_t n, int clean, const Setting *set, Profile *out);
void write_features(const Profile *profile, const Setting *set, float *whole, float *first, float *second);
extern const uint8_t LETTER_CLASS[256];  /* 1 ACGTU, 2 other IUPAC, gap or stop, 0 anything else */
#endif
