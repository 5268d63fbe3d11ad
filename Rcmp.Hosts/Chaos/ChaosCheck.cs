namespace Rcmp.Hosts.Chaos;

/// <summary>What the check of the words found.</summary>
/// <param name="Lost">Acknowledged writes that are not there.</param>
/// <param name="Late">Registers that hold a write of unknown outcome that is older than the last acknowledged one: it took effect after its client had given it up. Allowed, and told.</param>
/// <param name="Findings">One line each.</param>
internal sealed record ChaosCheckResult(long Lost, long Late, IReadOnlyList<string> Findings);

/// <summary>Compares what the pool holds in the end with what the clients know.</summary>
internal static class ChaosCheck
{
    private enum Verdict
    {
        Good,
        Late,
        Lost,
        Foreign,
    }

    /// <summary>Whether the owner of a register may see this value in it now.</summary>
    public static bool MayHold(RegisterRecord record, int client, int register, ulong value) => Judge(record, client, register, value) is Verdict.Good or Verdict.Late;

    public static ChaosCheckResult Run(
        IReadOnlyList<(int Client, int Register, RegisterRecord Record, ulong Value)> registers,
        IReadOnlyList<(int Counter, IReadOnlyList<CounterRecord> Records, ulong Value)> counters)
    {
        long lost = 0, late = 0;
        var findings = new List<string>();
        foreach (var (client, register, record, value) in registers)
        {
            switch (Judge(record, client, register, value))
            {
                case Verdict.Late:
                    late++;
                    break;
                case Verdict.Lost:
                    lost++;
                    findings.Add($"register {register} of client {client} holds write {ChaosStamp.Sequence(value)}; acknowledged is {record.Acknowledged}, unknown {List(record)}");
                    break;
                case Verdict.Foreign:
                    findings.Add($"register {register} of client {client} holds 0x{value:x16}, which is none of the writes that were acknowledged or may have been carried out: acknowledged is {record.Acknowledged}, unknown {List(record)}");
                    break;
            }
        }
        foreach (var (counter, records, value) in counters)
        {
            var least = records.Sum(r => r.Acknowledged);
            var most = least + records.Sum(r => r.Unknown);
            if ((long)value < least) lost += least - (long)value;
            if ((long)value < least || (long)value > most) findings.Add($"counter {counter} is {value}; {least} additions were acknowledged, {most - least} have an unknown outcome");
        }
        return new ChaosCheckResult(lost, late, findings);
    }

    private static Verdict Judge(RegisterRecord record, int client, int register, ulong value)
    {
        if (!ChaosStamp.Belongs(value, client, register)) return Verdict.Foreign;
        var sequence = ChaosStamp.Sequence(value);
        if (sequence > record.Newest) return Verdict.Foreign;
        if (sequence == record.Acknowledged) return Verdict.Good;
        if (!record.Unknown.Contains(sequence) && !(record.Overflow && sequence > 0)) return sequence < record.Acknowledged ? Verdict.Lost : Verdict.Foreign;
        return sequence > record.Acknowledged ? Verdict.Good : Verdict.Late;
    }

    private static string List(RegisterRecord record) => record.Unknown.Count == 0 ? "none" : string.Join(", ", record.Unknown);
}
