using System.IO.MemoryMappedFiles;
using System.Text;

namespace Rcmp.Hosts.Chaos;

/// <summary>What is known of a register: the writes to it that were acknowledged, and those whose outcome nobody knows.</summary>
/// <param name="Acknowledged">The newest acknowledged write; 0: none.</param>
/// <param name="Newest">The newest write that was begun.</param>
/// <param name="Unknown">Writes whose outcome is unknown.</param>
/// <param name="Overflow">There were more of them than are kept.</param>
internal sealed record RegisterRecord(long Acknowledged, long Newest, IReadOnlyList<long> Unknown, bool Overflow);

/// <summary>What a client did to a counter. What was begun and neither acknowledged nor refused may or may not have happened.</summary>
internal readonly record struct CounterRecord(long Begun, long Acknowledged, long Refused)
{
    public long Unknown => Begun - Acknowledged - Refused;
}

/// <summary>A client's memory of what it did: a mapped file, so that it is complete up to the instruction at which SIGKILL comes. Each step is
/// written before what it announces, and after what it confirms. One process writes at a time; whoever starts the clients only sets the stop mark.</summary>
internal sealed class ChaosJournal : IDisposable
{
    private const int StopAt = 0;
    private const int OperationsAt = 8;
    private const int WritesAt = 16;
    private const int RefusedAt = 24;
    private const int ViolationsAt = 32;
    private const int ViolationTextAt = 40;
    private const int ViolationTextMax = 900;
    private const int HistoryWindowAt = 944;
    private const int MovesAt = 952;
    private const int RegistersAt = 1024;
    private const int RegisterSize = 32 * sizeof(long);
    private const int NewestField = 0;
    private const int SettledField = 8;
    private const int AcknowledgedField = 16;
    private const int UnknownCountField = 24;
    private const int UnknownField = 32;
    private const int UnknownMax = 28;
    private const int CountersAt = RegistersAt + ChaosLayout.Registers * RegisterSize;
    private const int CounterSize = 4 * sizeof(long);
    private const int Size = CountersAt + ChaosLayout.Counters * CounterSize;

    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;

    /// <summary>Makes the file if it does not exist.</summary>
    public ChaosJournal(string path)
    {
        var stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        _file = MemoryMappedFile.CreateFromFile(stream, null, Size, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, false);
        _view = _file.CreateViewAccessor(0, Size);
    }

    public bool StopRequested
    {
        get => _view.ReadInt64(StopAt) != 0;
        set => _view.Write(StopAt, value ? 1L : 0L);
    }

    public long Operations => _view.ReadInt64(OperationsAt);

    /// <summary>Writes to registers and additions to counters.</summary>
    public long AcknowledgedWrites => _view.ReadInt64(WritesAt);

    /// <summary>Operations that failed as transient, without having done anything.</summary>
    public long RefusedOperations => _view.ReadInt64(RefusedAt);

    /// <summary>Pages that came into the client's rack because it asked for them; one that two clients of a rack ask for at once counts for both.</summary>
    public long Moves => _view.ReadInt64(MovesAt);

    public long Violations => _view.ReadInt64(ViolationsAt);

    /// <summary>The window of the shared words that its client has come to; whatever it did in earlier ones is written down. -1 before the first.</summary>
    public long HistoryWindow
    {
        get => Get(HistoryWindowAt) - 1;
        set => Set(HistoryWindowAt, value + 1);
    }

    public string FirstViolation
    {
        get
        {
            var bytes = new byte[ViolationTextMax];
            _view.ReadArray(ViolationTextAt, bytes, 0, bytes.Length);
            return Encoding.UTF8.GetString(bytes).TrimEnd('\0', '\uFFFD');
        }
    }

    /// <summary>A new process goes on where the last one was killed: what that had under way has an unknown outcome.</summary>
    public void TakeUp()
    {
        for (var r = 0; r < ChaosLayout.Registers; r++)
            if (Get(Register(r) + SettledField) != Get(Register(r) + NewestField))
                WriteUnknown(r);
    }

    public void CountOperation() => Increment(OperationsAt);

    public void CountMove() => Increment(MovesAt);

    public void CountRefused() => Increment(RefusedAt);

    /// <summary>The sequence number of the write that is about to begin.</summary>
    public long BeginWrite(int register)
    {
        Increment(Register(register) + NewestField);
        return Get(Register(register) + NewestField);
    }

    public void WriteAcknowledged(int register)
    {
        Set(Register(register) + AcknowledgedField, Get(Register(register) + NewestField));
        Settle(register);
        Increment(WritesAt);
    }

    public void WriteRefused(int register) => Settle(register);

    public void WriteUnknown(int register)
    {
        var at = Register(register);
        var count = Get(at + UnknownCountField);
        if (count < UnknownMax) Set(at + UnknownField + (int)count * sizeof(long), Get(at + NewestField));
        Set(at + UnknownCountField, count + 1);
        Settle(register);
    }

    public void BeginAdd(int counter) => Increment(Counter(counter));

    public void AddAcknowledged(int counter)
    {
        Increment(Counter(counter) + sizeof(long));
        Increment(WritesAt);
    }

    public void AddRefused(int counter) => Increment(Counter(counter) + 2 * sizeof(long));

    /// <summary>The client has seen what must not be.</summary>
    public void Violation(string text)
    {
        // The worker and whoever brings pages are two.
        lock (_view)
        {
            if (Violations == 0)
            {
                var bytes = Encoding.UTF8.GetBytes(text);
                _view.WriteArray(ViolationTextAt, bytes, 0, Math.Min(bytes.Length, ViolationTextMax));
            }
            Increment(ViolationsAt);
        }
    }

    public RegisterRecord ReadRegister(int register)
    {
        var at = Register(register);
        var count = Get(at + UnknownCountField);
        var unknown = Enumerable.Range(0, (int)Math.Min(count, UnknownMax)).Select(i => Get(at + UnknownField + i * sizeof(long))).ToList();
        var newest = Get(at + NewestField);
        // Killed while it was under way.
        if (Get(at + SettledField) != newest) unknown.Add(newest);
        return new RegisterRecord(Get(at + AcknowledgedField), newest, unknown, count > UnknownMax);
    }

    public CounterRecord ReadCounter(int counter) =>
        new(Get(Counter(counter)), Get(Counter(counter) + sizeof(long)), Get(Counter(counter) + 2 * sizeof(long)));

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }

    private static int Register(int register) => RegistersAt + register * RegisterSize;

    private static int Counter(int counter) => CountersAt + counter * CounterSize;

    private void Settle(int register) => Set(Register(register) + SettledField, Get(Register(register) + NewestField));

    private long Get(int at) => _view.ReadInt64(at);

    private void Set(int at, long value) => _view.Write(at, value);

    private void Increment(int at) => Set(at, Get(at) + 1);
}
