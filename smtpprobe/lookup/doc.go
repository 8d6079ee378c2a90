// Package lookup asks the questions of the policies: dane, sts and records see DNS through it alone.
//
//  1. [Ask] puts one question to an [Exchange], with AD asked for.
//  2. It follows the CNAMEs of the response, asks on where the chain does not end, and takes the RRset at its end.
//  3. [Texts] joins the strings of the TXT records found; [ParseTags] splits a record that consists of tag=value
//     pairs.
//
// Invariants:
//
//   - An error means that nothing is known; a name that does not exist is an answer.
//   - [Answer.Secure] holds only where every response on the way had AD.
//   - A question ends within [Timeout], a chain of CNAMEs after 16 links.
//   - What TXT records carry stays as package dns presents it: backslashes and quotes stand behind a backslash,
//     what is not printable ASCII is written \DDD. So it may enter a report as it is, and since none of the
//     grammars read here has such characters, it cannot be taken for what it is not.
//
// RFCs: 1034 3.6.2 (CNAME), 6604 3 (the RCODE of a chain is that of its end), 6840 5.7 (AD in a query), 7208
// 3.3 (the strings of a record are joined without a space; 8461, 8460 and 9989 say the same).
package lookup
