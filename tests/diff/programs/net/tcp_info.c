// TCP_INFO of a quiet connection: what does not depend on time.
#include "net/n.h"
int main(void) {
    int e[2];
    n_pair(e);
    char b[100000];
    memset(b, 7, sizeof b);
    for (int i = 0; i < 4; i++) { send(e[0], b, 1000, 0); recv(e[1], b, 1000, MSG_WAITALL); t_sleep_ms(20); }
    for (int i = 0; i < 2; i++) {
        struct tcp_info t = {0};
        socklen_t len = sizeof t;
        T(getsockopt(e[i], IPPROTO_TCP, TCP_INFO, &t, &len)); N(len == sizeof t);
        N(t.tcpi_state); N(t.tcpi_ca_state); N(t.tcpi_retransmits); N(t.tcpi_probes); N(t.tcpi_backoff); N(t.tcpi_options & 7); N(t.tcpi_unacked); N(t.tcpi_sacked);
        N(t.tcpi_lost); N(t.tcpi_retrans); N(t.tcpi_fackets); N(t.tcpi_total_retrans); N(t.tcpi_reordering); N(t.tcpi_snd_ssthresh); N(t.tcpi_snd_cwnd > 0);
        C(t.tcpi_snd_mss > 0); N(t.tcpi_advmss); N(t.tcpi_pmtu); C(t.tcpi_rto > 0); C(t.tcpi_rcv_space > 0);
    }
    len_check: ;
    unsigned char small[8] = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee};
    socklen_t len = 3;
    T(getsockopt(e[0], IPPROTO_TCP, TCP_INFO, small, &len)); N(len); N(small[0]); N(small[3]);
    if (0) goto len_check;
    return 0;
}
