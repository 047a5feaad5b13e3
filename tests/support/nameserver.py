"""A DNS server on loopback for the tests, with the records that they give it."""

import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class NameServer:
    """Answers over UDP on a free port of 127.0.0.1. A context manager.

    records   {(name, kind): [values as in a zone file]}; another name does not exist.
    is_silent whether it answers nothing at all.
    """

    host = "127.0.0.1"

    def __init__(self, records=None, *, is_silent=False):
        self.records = records or {}
        self.is_silent = is_silent
        self.asked = []

    def __enter__(self):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.host, 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        # An empty datagram is no question: it ends the thread.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", (self.host, self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self):
        while True:
            data, client = self._socket.recvfrom(4096)
            if not data:
                return
            if not self.is_silent:
                self._socket.sendto(self._answer(dns.message.from_wire(data)).to_wire(), client)

    def _answer(self, query):
        [question] = query.question
        name = question.name.to_text().rstrip(".")
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA | dns.flags.RA
        values = self.records.get((name, kind))
        if values:
            rrset = dns.rrset.from_text(question.name, 60, "IN", kind, *values)
            answer.answer.append(rrset)
        elif all(known != name for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer
