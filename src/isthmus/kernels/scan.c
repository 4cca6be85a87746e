/* One pass over FASTQ or FASTA text: finds records, checks them, cleans, and fills rows, ids and features.
   The plain twin with the same bytes is plain_scan.py. */
#include <math.h>
#include <string.h>
#include "scan.h"

/* ACGTU in either case: 1. RYSWKMBDHVN, gap '-' and '.', stop '*': 2. All else: 0. */
const uint8_t LETTER_CLASS[256] = {
    ['A'] = 1, ['C'] = 1, ['G'] = 1, ['T'] = 1, ['U'] = 1, ['a'] = 1, ['c'] = 1, ['g'] = 1, ['t'] = 1, ['u'] = 1,
    ['R'] = 2, ['Y'] = 2, ['S'] = 2, ['W'] = 2, ['K'] = 2, ['M'] = 2, ['B'] = 2, ['D'] = 2, ['H'] = 2, ['V'] = 2, ['N'] = 2,
    ['r'] = 2, ['y'] = 2, ['s'] = 2, ['w'] = 2, ['k'] = 2, ['m'] = 2, ['b'] = 2, ['d'] = 2, ['h'] = 2, ['v'] = 2, ['n'] = 2,
    ['-'] = 2, ['.'] = 2, ['*'] = 2,
};

typedef struct {
    const uint8_t *text;
    int64_t n;
    int at_end;
    uint8_t *scratch;          /* as long as the text: sequences and qualities of several lines, joined */
    const Setting *set;
    Outcome *out;
} Scan;

typedef struct {
    int64_t start, id, id_len, next;
    const uint8_t *seq, *qual;
    int64_t seq_len, qual_len, gc, acgt;
} Record;

static int bad(Scan *scan, int error, const Record *rec, int64_t line, int64_t byte, int64_t a, int64_t b) {
    Outcome *out = scan->out;
    out->error = error;
    out->error_start = rec->start;
    out->error_line = line;
    out->error_byte = byte;
    out->error_a = a;
    out->error_b = b;
    return BAD;
}

/* The text ended inside a record: more is needed, or the file was cut. */
static int ran_out(Scan *scan, const Record *rec, int64_t line) {
    return scan->at_end ? bad(scan, CUT, rec, line, -1, rec->seq_len, rec->qual_len) : MORE;
}

/* End of the line that begins at `pos`: its newline, or the end of the text; *next is where the next line begins. */
static inline int64_t line_end(const Scan *scan, int64_t pos, int64_t *next) {
    const uint8_t *at = pos < scan->n ? memchr(scan->text + pos, '\n', (size_t)(scan->n - pos)) : NULL;
    const int64_t end = at ? at - scan->text : scan->n;
    *next = at ? end + 1 : scan->n;
    return end > pos && scan->text[end - 1] == '\r' ? end - 1 : end;
}

static inline int line_is_whole(const Scan *scan, int64_t next) {
    return scan->at_end || (next > 0 && scan->text[next - 1] == '\n' && next <= scan->n);
}

/* The id is the text after the mark and any blanks, up to the next blank: printable ASCII. */
static int read_id(Scan *scan, Record *rec, int64_t end) {
    const uint8_t *text = scan->text;
    int64_t pos = rec->start + 1;
    while (pos < end && (text[pos] == ' ' || text[pos] == '\t')) pos++;
    rec->id = pos;
    for (; pos < end && text[pos] != ' ' && text[pos] != '\t'; pos++)
        if (text[pos] < 33 || text[pos] > 126) return bad(scan, text[pos] == '\r' ? LONE_CR : NAME, rec, 0, text[pos], 0, 0);
    rec->id_len = pos - rec->id;
    if (memchr(text + pos, 0, (size_t)(end - pos))) return bad(scan, NAME, rec, 0, 0, 0, 0);
    if (memchr(text + pos, '\r', (size_t)(end - pos))) return bad(scan, LONE_CR, rec, 0, '\r', 0, 0);
    return -1;
}

/* '+' must stand alone or repeat the header or the id. */
static int check_plus(Scan *scan, const Record *rec, int64_t header_end, int64_t plus, int64_t end, int64_t line) {
    const int64_t n = end - plus - 1;
    const uint8_t *text = scan->text, *repeat = text + plus + 1;
    if (n == 0) return -1;
    if (n == header_end - rec->start - 1 && memcmp(repeat, text + rec->start + 1, (size_t)n) == 0) return -1;
    if (n == rec->id_len && memcmp(repeat, text + rec->id, (size_t)n) == 0) return -1;
    return bad(scan, PLUS_NAME, rec, line, -1, 0, 0);
}

/* Sequence lines up to the line that begins with `mark` (or, in FASTA, the end), joined in scratch. -1: go on. */
static int join_lines(Scan *scan, Record *rec, int64_t *pos, uint8_t mark, int64_t *line) {
    for (;;) {
        if (*pos >= scan->n) {
            if (mark == '>' && scan->at_end) return -1;
            return ran_out(scan, rec, *line);
        }
        if (scan->text[*pos] == mark) return -1;
        if (mark == '+' && scan->text[*pos] == '@') return bad(scan, LETTER, rec, *line, '@', 0, 0);
        int64_t next;
        const int64_t end = line_end(scan, *pos, &next);
        if (!line_is_whole(scan, next)) return MORE;
        memcpy(scan->scratch + rec->seq_len, scan->text + *pos, (size_t)(end - *pos));
        rec->seq_len += end - *pos;
        *pos = next;
        ++*line;
    }
}

/* A FASTQ record whose sequence has any number of lines; its quality then has as many letters. */
static int read_wrapped(Scan *scan, Record *rec, int64_t header_end, int64_t pos) {
    int64_t line = 1, next;
    rec->seq_len = rec->qual_len = 0;
    int status = join_lines(scan, rec, &pos, '+', &line);
    if (status >= 0) return status;
    const int one_line = line == 2;
    int64_t end = line_end(scan, pos, &next);
    if (!line_is_whole(scan, next)) return MORE;
    status = check_plus(scan, rec, header_end, pos, end, line);
    if (status >= 0) return status;
    uint8_t *qual = scan->scratch + rec->seq_len;
    for (pos = next, line++; rec->qual_len < rec->seq_len; pos = next, line++) {
        if (pos >= scan->n) return ran_out(scan, rec, line);
        end = line_end(scan, pos, &next);
        if (!line_is_whole(scan, next)) return MORE;
        memcpy(qual + rec->qual_len, scan->text + pos, (size_t)(end - pos));
        rec->qual_len += end - pos;
        if (rec->qual_len < rec->seq_len && next >= scan->n && scan->text[scan->n - 1] != '\n') return ran_out(scan, rec, line);
        if (rec->qual_len > rec->seq_len || (one_line && rec->qual_len < rec->seq_len))
            return bad(scan, LENGTHS, rec, line, -1, rec->seq_len, rec->qual_len);
    }
    if (rec->seq_len == 0) {                       /* the empty line of an empty quality */
        if (pos >= scan->n && !scan->at_end) return MORE;
        end = line_end(scan, pos, &next);
        if (!line_is_whole(scan, next)) return MORE;
        if (end == pos) pos = next;
    }
    rec->seq = scan->scratch;
    rec->qual = qual;
    rec->next = pos;
    return -1;
}

/* The usual record of four lines, without a copy; anything else goes to read_wrapped. */
static int read_fastq(Scan *scan, Record *rec) {
    const uint8_t *text = scan->text;
    int64_t seq, plus, qual, next;
    if (text[rec->start] != '@') return bad(scan, BAD_START, rec, 0, text[rec->start], 0, 0);
    const int64_t header_end = line_end(scan, rec->start, &seq);
    const int status = read_id(scan, rec, header_end);
    if (status >= 0) return status;
    if (!line_is_whole(scan, seq)) return MORE;
    const int64_t seq_end = line_end(scan, seq, &plus);
    if (plus >= scan->n || text[plus] != '+') return read_wrapped(scan, rec, header_end, seq);
    const int64_t plus_end = line_end(scan, plus, &qual);
    rec->seq_len = seq_end - seq;
    const int64_t end = qual + rec->seq_len;
    if (end > scan->n || (end == scan->n && !scan->at_end)) return read_wrapped(scan, rec, header_end, seq);
    if (end < scan->n && text[end] == '\n') next = end + 1;
    else if (end + 1 < scan->n && text[end] == '\r' && text[end + 1] == '\n') next = end + 2;
    else if (end == scan->n && text[end - 1] != '\n') next = end;
    else return read_wrapped(scan, rec, header_end, seq);
    const int plus_status = check_plus(scan, rec, header_end, plus, plus_end, 2);
    if (plus_status >= 0) return plus_status;
    rec->seq = text + seq;
    rec->qual = text + qual;
    rec->qual_len = rec->seq_len;
    rec->next = next;
    return -1;
}

static int read_fasta(Scan *scan, Record *rec) {
    int64_t pos, line = 1;
    if (scan->text[rec->start] != '>') return bad(scan, BAD_START, rec, 0, scan->text[rec->start], 0, 0);
    const int64_t header_end = line_end(scan, rec->start, &pos);
    int status = read_id(scan, rec, header_end);
    if (status >= 0) return status;
    if (!line_is_whole(scan, pos)) return MORE;
    rec->seq_len = rec->qual_len = 0;
    status = join_lines(scan, rec, &pos, '>', &line);
    if (status >= 0) return status;
    rec->seq = scan->scratch;
    rec->qual = NULL;
    rec->next = pos;
    return -1;
}

/* Line of the record, counted from its header, where letter `at` of its sequence (or quality) stands. */
static int64_t line_of(const Scan *scan, const Record *rec, int64_t at, int in_quality) {
    int64_t pos, line = 1, next, seen = 0, skip_plus = in_quality;
    line_end(scan, rec->start, &pos);
    for (;; pos = next, line++) {
        const int64_t end = line_end(scan, pos, &next);
        if (skip_plus) {
            skip_plus = scan->text[pos] != '+';
            continue;
        }
        for (int64_t i = pos; i < end; i++)
            if ((rec->qual || (scan->text[i] != ' ' && scan->text[i] != '\t')) && seen++ == at) return line;
        if (next >= scan->n) return line;
    }
}

static inline void count_block(u8xn letters, u8xn *strong, u8xn *weak) {
    letters &= 0xDF; /* upper case */
    *strong -= (u8xn)((letters == 'C') | (letters == 'G'));
    *weak -= (u8xn)((letters == 'A') | (letters == 'T') | (letters == 'U'));
}

static inline int64_t sum_bytes(const u8xn *v) {
    uint64_t words[BYTES / 8], sum = 0;
    memcpy(words, v, BYTES);
    for (int i = 0; i < BYTES / 8; i++) sum += (words[i] & 0x00ff00ff00ff00ff) + ((words[i] >> 8) & 0x00ff00ff00ff00ff);
    return (int64_t)((sum & 0xffff) + ((sum >> 16) & 0xffff) + ((sum >> 32) & 0xffff) + (sum >> 48));
}

/* Counts G+C and A+C+G+T+U; both in either case. */
static void count_letters(const uint8_t *seq, int64_t n, int64_t *gc, int64_t *acgt) {
    int64_t i = 0;
    *gc = *acgt = 0;
    do {
        u8xn strong = {0}, weak = {0}, letters = {0};
        for (int turn = 0; turn < 254 && i + BYTES <= n; turn++, i += BYTES) {
            memcpy(&letters, seq + i, BYTES);
            count_block(letters, &strong, &weak);
        }
        if (n - i < BYTES) {
            letters = (u8xn){0};
            memcpy(&letters, seq + i, (size_t)(n - i));
            count_block(letters, &strong, &weak);
            i = n;
        }
        const int64_t s = sum_bytes(&strong);
        *gc += s;
        *acgt += s + sum_bytes(&weak);
    } while (i < n);
}

/* Every letter is a nucleotide code; blanks within FASTA sequences are taken out. */
static int check_sequence(Scan *scan, Record *rec) {
    count_letters(rec->seq, rec->seq_len, &rec->gc, &rec->acgt);
    if (rec->acgt == rec->seq_len) return -1;
    if (!rec->qual) {
        int64_t kept = 0;
        for (int64_t i = 0; i < rec->seq_len; i++) {
            scan->scratch[kept] = rec->seq[i];
            kept += rec->seq[i] != ' ' && rec->seq[i] != '\t';
        }
        rec->seq_len = kept;
    }
    for (int64_t i = 0; i < rec->seq_len; i++)
        if (LETTER_CLASS[rec->seq[i]] == 0) {
            const int error = rec->seq[i] == '\r' ? LONE_CR : LETTER;
            return bad(scan, error, rec, line_of(scan, rec, i, 0), rec->seq[i], 0, 0);
        }
    return -1;
}

/* -10 log10(p) for p in (0, 1], with + - * / only: the same bits with every C library. */
static double phred(double p) {
    int exponent;
    double m = frexp(p, &exponent);
    if (m < 0.70710678118654752) {
        m *= 2;
        exponent--;
    }
    const double s = (m - 1) / (m + 1), square = s * s;
    double series = 0;
    for (int i = 23; i >= 1; i -= 2) series = series * square + 1.0 / i;
    const double ln = 2 * s * series + exponent * 0.69314718055994530942;
    return ln * -4.3429448190325182765;
}

/* Mean quality from a histogram: integers first, then 94 products in a fixed order. */
static int check_quality(Scan *scan, const Record *rec, float *quality) {
    static _Thread_local uint32_t part[4][256];
    const uint8_t *q = rec->qual;
    const int64_t n = rec->qual_len;
    int64_t i = 0, valid = 0;
    double sum = 0;
    memset(part, 0, sizeof part);
    for (; i + 8 <= n; i += 8) {
        uint64_t word;
        memcpy(&word, q + i, 8);
        for (int j = 0; j < 8; j++) part[j & 3][(word >> (8 * j)) & 255]++;
    }
    for (; i < n; i++) part[0][q[i]]++;
    for (int v = 0; v < QUALITIES; v++) {
        const uint32_t count = part[0][33 + v] + part[1][33 + v] + part[2][33 + v] + part[3][33 + v];
        valid += count;
        sum += (double)count * scan->set->error[v];
    }
    if (valid == n) {
        *quality = n ? (float)phred(sum / (double)n) : NAN;
        return -1;
    }
    for (i = 0; q[i] >= 33 && q[i] <= 126; i++) continue;
    return bad(scan, q[i] == '\r' ? LONE_CR : QUALITY, rec, line_of(scan, rec, i, 1), q[i], 0, 0);
}

static uint64_t hash_id(const uint8_t *id, int64_t n) {
    uint64_t hash = 14695981039346656037u;
    for (int64_t i = 0; i < n; i++) hash = (hash ^ id[i]) * 1099511628211u;
    return hash;
}

/* Which filter takes the record: 0 too_short, 1 low_quality, 2 many_n, in this order; -1: it is kept. */
static int dropped_by(const Setting *set, const Record *rec, float quality) {
    if (rec->seq_len < set->min_length) return 0;
    if (rec->qual && set->min_quality > 0 && !((double)quality >= set->min_quality)) return 1;
    if ((double)(rec->seq_len - rec->acgt) > set->max_n_share * (double)rec->seq_len) return 2;
    return -1;
}

static void keep(Scan *scan, const Record *rec, Row *row, float *whole, float *first, float *second) {
    static _Thread_local Profile profile;
    row->hash = hash_id(scan->text + rec->id, rec->id_len);
    row->id_len = (int32_t)rec->id_len;
    row->length = (int32_t)rec->seq_len;
    row->n_ambiguous = (int32_t)(rec->seq_len - rec->acgt);
    row->gc = rec->acgt ? (float)((double)rec->gc / (double)rec->acgt) : 0.0f;
    row->flags = 0;
    if (scan->set->k == 0) return;
    count_profile(rec->seq, rec->seq_len, rec->acgt == rec->seq_len, scan->set, &profile);
    if (profile.total[2] == 0) row->flags |= NO_KMERS;
    if (profile.total[0] == 0 || profile.total[1] == 0) row->flags |= HALF_EMPTY;
    write_features(&profile, scan->set, whole, first, second);
}

static int read_record(Scan *scan, Record *rec, float *quality) {
    int status = scan->set->format == FASTQ ? read_fastq(scan, rec) : read_fasta(scan, rec);
    if (status >= 0) return status;
    if (rec->seq_len > INT32_MAX || rec->id_len > INT32_MAX) return bad(scan, TOO_LONG, rec, 0, -1, rec->seq_len, 0);
    status = check_sequence(scan, rec);
    if (status >= 0) return status;
    *quality = NAN;
    return rec->qual ? check_quality(scan, rec, quality) : -1;
}

static int64_t skip_blank_lines(const uint8_t *text, int64_t pos, int64_t n, int at_end) {
    for (;;) {
        if (pos < n && text[pos] == '\n') pos++;
        else if (pos + 1 < n && text[pos] == '\r' && text[pos + 1] == '\n') pos += 2;
        else if (at_end && pos + 1 == n && text[pos] == '\r') pos++;
        else return pos;
    }
}

/* What to do at a record's border: -1 to read on. A border is known only when what follows the blank lines is seen. */
static int place(const Scan *scan, int64_t pos, int64_t stop, int64_t max_rows) {
    if (!scan->at_end && (pos >= scan->n || (pos + 1 == scan->n && scan->text[pos] == '\r'))) return MORE;
    if (pos >= scan->n) return AT_END;
    if (pos >= stop) return AT_STOP;
    return scan->out->rows >= max_rows ? ROWS_FULL : -1;
}

/* Reads records from text[lo ..] that begin before `stop`, until the text ends or `max_rows` rows are full.
   ids: room for n bytes; whole, halves: (max_rows, dim) and (2, max_rows, dim). out->next is where to go on. */
void isthmus_scan(const uint8_t *text, int64_t lo, int64_t n, int64_t at_end, int64_t stop, const Setting *set, int64_t max_rows,
                  uint8_t *scratch, Row *rows, uint8_t *ids, float *whole, float *halves, Outcome *out) {
    Scan scan = {text, n, (int)at_end, scratch, set, out};
    float *first = halves, *second = halves ? halves + max_rows * set->dim : NULL;
    memset(out, 0, sizeof *out);
    for (int64_t pos = lo;; ) {
        Record rec = {0};
        float quality;
        rec.start = out->next = pos = skip_blank_lines(text, pos, n, (int)at_end);
        out->status = place(&scan, pos, stop, max_rows);
        if (out->status >= 0) return;
        out->status = read_record(&scan, &rec, &quality);
        if (out->status >= 0) return;
        const int taken_by = dropped_by(set, &rec, quality);
        if (taken_by >= 0) out->dropped[taken_by]++;
        else {
            const int64_t at = out->rows++ * set->dim;
            Row *row = rows + out->rows - 1;
            row->start = rec.start;
            row->end = rec.next;
            row->record = out->records;
            row->quality = quality;
            keep(&scan, &rec, row, whole + at, first + at, second + at);
            memcpy(ids + out->id_bytes, text + rec.id, (size_t)rec.id_len);
            out->id_bytes += rec.id_len;
            out->bases_out += rec.seq_len;
        }
        out->records++;
        out->bases_in += rec.seq_len;
        pos = rec.next;
    }
}

/* Counts of n sequences in memory, seq i at text[ends[i] .. ends[i + 1]): counts (n, n_canonical). */
void isthmus_count(const uint8_t *text, const int64_t *ends, int64_t n, const Setting *set, uint32_t *counts) {
    for (int64_t i = 0; i < n; i++) {
        const int64_t length = ends[i + 1] - ends[i];
        int64_t gc, acgt;
        count_letters(text + ends[i], length, &gc, &acgt);
        count_range(text, ends[i], ends[i + 1], acgt == length, set, counts + i * set->n_canonical);
    }
}
