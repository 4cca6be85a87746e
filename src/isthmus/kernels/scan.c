/* One pass over FASTQ and FASTA text. (written next) */
int isthmus_abi(void) { return 1; }
