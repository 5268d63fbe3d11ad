using Microsoft.Extensions.Logging;

namespace Rcmp.Runtime.Embedded;

/// <summary>The embedded pool's network: one thread that carries every message, in the order in which it was sent.</summary>
internal sealed class EmbeddedDispatcher : IDisposable
{
    private const int TickMs = 10;

    // A monitor sleeps at once. A BlockingCollection polls first, each time: a tenth of a core in an idle pool.
    private readonly Queue<Action> _queue = new();
    private readonly Thread _thread;
    private readonly ILogger _log;
    private readonly Action _tick;
    private bool _ended;

    /// <summary><paramref name="tick"/> is called between messages, at least every ten milliseconds.</summary>
    public EmbeddedDispatcher(ILogger log, Action tick)
    {
        _log = log;
        _tick = tick;
        _thread = new Thread(Run) { IsBackground = true, Name = "rcmp-embedded" };
    }

    public void Start() => _thread.Start();

    public void Post(Action work)
    {
        lock (_queue)
        {
            // While the pool is being disposed what is sent reaches nobody, as on a network.
            if (_ended) return;
            _queue.Enqueue(work);
            if (_queue.Count == 1) Monitor.Pulse(_queue);
        }
    }

    public void Dispose()
    {
        lock (_queue)
        {
            _ended = true;
            Monitor.Pulse(_queue);
        }

        if (_thread.IsAlive && Thread.CurrentThread != _thread) _thread.Join();
    }

    private void Run()
    {
        while (TryTake(out var work))
        {
            try
            {
                work?.Invoke();
                _tick();
            }
            catch (Exception e)
            {
                // A bug in one handler must not end the thread on which every waiting client depends; it is loud in the log.
                EmbeddedLog.HandlerFailed(_log, e);
            }
        }
    }

    /// <summary>The next message, or none for a while. False when all that was sent before the end is done.</summary>
    private bool TryTake(out Action? work)
    {
        lock (_queue)
        {
            if (_queue.Count == 0 && !_ended) Monitor.Wait(_queue, TickMs);
            return _queue.TryDequeue(out work) || !_ended;
        }
    }
}

internal static partial class EmbeddedLog
{
    [LoggerMessage(1100, LogLevel.Error, "The embedded pool failed to handle a message.")]
    public static partial void HandlerFailed(ILogger log, Exception exception);

    [LoggerMessage(1101, LogLevel.Critical, "An invariant of the embedded pool is broken: {Message}")]
    public static partial void Fatal(ILogger log, string message);

    [LoggerMessage(1102, LogLevel.Warning, "{SharedMemory} has no room for the {Bytes} bytes of the embedded pool's regions: they are files in {Directory}, slower at first touch, and written back to disk.")]
    public static partial void RegionsAreFiles(ILogger log, string sharedMemory, long bytes, string directory);
}
