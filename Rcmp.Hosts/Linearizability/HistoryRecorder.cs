using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Rcmp.Hosts.Linearizability;

/// <summary>Carries out operations on words of a pool and writes to a file when each began and how it ended. A line is handed to the kernel before the operation begins, so that of a
/// process that is killed at any point everything is known that it may have done. One thread at a time; a thread has its own file. Times are those of <see cref="Stopwatch"/>, which
/// all processes of a machine share.</summary>
/// <remarks>Lines: <c>&gt; number key operation argument comparand began</c>, then <c>&lt; number result ended</c>, or <c>x number</c> if it certainly had no effect.</remarks>
internal sealed class HistoryRecorder : IDisposable
{
    private readonly FileStream _file;
    private readonly ulong _lastRead;
    private ulong _seen;

    /// <param name="path">Is created, or cut off.</param>
    /// <param name="process">Makes what this recorder writes different from what others write.</param>
    public HistoryRecorder(string path, int process)
    {
        _file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
        _lastRead = (ulong)process << 40;
        Append($"p {process}");
    }

    /// <summary>How many operations were begun.</summary>
    public long Recorded { get; private set; }

    /// <summary>How many ended without an answer to tell what they did.</summary>
    public long Unknown { get; private set; }

    /// <summary>How many had certainly no effect.</summary>
    public long Refused { get; private set; }

    /// <summary>Why the last operation failed; null if it did not.</summary>
    public PoolException? Failure { get; private set; }

    /// <summary>An operation of any kind, with a value that nobody else writes.</summary>
    public void Random(IMemoryPool pool, GAddr address, Random random)
    {
        var kind = (WordOperation)random.Next(5);
        var argument = kind == WordOperation.FetchAdd ? (ulong)random.Next(1, 4) : _lastRead | (ulong)(Recorded + 1);
        Run(pool, address, kind, argument, _seen);
    }

    /// <summary>False if it failed: then its outcome is unknown, or it had no effect; the file says which.</summary>
    public bool Run(IMemoryPool pool, GAddr address, WordOperation operation, ulong argument, ulong comparand)
    {
        var number = ++Recorded;
        Failure = null;
        Append($"> {number} {address.Value} {(int)operation} {argument} {comparand} {Stopwatch.GetTimestamp()}");
        try
        {
            ulong result = 0;
            switch (operation)
            {
                case WordOperation.Read: result = pool.Read<ulong>(address); break;
                case WordOperation.Write: pool.Write(address, argument); break;
                case WordOperation.CompareExchange: result = pool.CompareExchange(address, argument, comparand); break;
                case WordOperation.FetchAdd: result = pool.FetchAdd(address, argument); break;
                case WordOperation.Exchange: result = pool.Exchange(address, argument); break;
            }

            Append($"< {number} {result} {Stopwatch.GetTimestamp()}");
            if (operation != WordOperation.Write) _seen = result;
            return true;
        }
        catch (PoolOutcomeUnknownException unknown)
        {
            Failure = unknown;
            Unknown++;
            return false;
        }
        catch (PoolException refused)
        {
            // Not sent, or explicitly refused.
            Failure = refused;
            Refused++;
            Append($"x {number}");
            return false;
        }
    }

    public void Dispose() => _file.Dispose();

    /// <summary>The operations of several files, or of one that several were put into. One without an end has an unknown outcome; a line that was cut off counts as not written.</summary>
    public static List<WordEvent> Load(IEnumerable<string> paths)
    {
        var history = new List<WordEvent>();
        foreach (var path in paths) Load(path, history);
        return history;
    }

    private static void Load(string path, List<WordEvent> history)
    {
        var process = 0;
        var open = new Dictionary<ulong, WordEvent>();
        var text = File.ReadAllText(path);
        foreach (var line in text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var numbers = line[2..].Split(' ').Select(n => ulong.Parse(n, CultureInfo.InvariantCulture)).ToArray();
            switch (line[0])
            {
                case 'p':
                    // The operations of another process begin, which counts from 1 again.
                    history.AddRange(open.Values);
                    open.Clear();
                    process = (int)numbers[0];
                    break;
                case '>':
                    open[numbers[0]] = new WordEvent(numbers[1], process, (WordOperation)numbers[2], numbers[3], numbers[4], 0, (long)numbers[5], WordEvent.Unknown);
                    break;
                case '<':
                    open.Remove(numbers[0], out var begun);
                    history.Add(begun with { Result = numbers[1], Returned = (long)numbers[2] });
                    break;
                case 'x': open.Remove(numbers[0]); break;
                default: throw new InvalidDataException($"{path}: '{line}' is no line of a history.");
            }
        }

        history.AddRange(open.Values);
    }

    private void Append(FormattableString line) => _file.Write(Encoding.ASCII.GetBytes(FormattableString.Invariant(line) + "\n"));
}
